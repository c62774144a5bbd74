"""Schedules: submissions that wait for their time. When the next time is, the daemon works out."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.ids import new_id
from kitchen_core.store.records import ScheduleRecord, decoded, insert_sql, json_text
from kitchen_core.telemetry.schema import Event, EventKind, NewEvent


class Schedules:
    """The store's schedules."""

    db: Database

    def add_schedule(
        self, name: str, recipe: str, payload: dict[str, Any], trigger: str, next_at: float | None
    ) -> ScheduleRecord:
        """Keep a submission for later, durably. next_at: when it is first due."""
        now = time.time()
        schedule = ScheduleRecord(
            id=new_id(now),
            name=name,
            recipe=recipe,
            payload=payload,
            trigger=trigger,
            next_at=next_at,
            created_at=now,
        )
        values = schedule.model_dump() | {"payload": json_text(payload)}
        with self.db.write(durable=True) as connection:
            connection.execute(insert_sql("schedule", values), values)
        return schedule

    def list_schedules(self) -> list[ScheduleRecord]:
        """Every schedule, the next due first and those that never fire again last."""
        rows = self.db.rows("SELECT * FROM schedule ORDER BY next_at IS NULL, next_at, created_at")
        return [_record(row) for row in rows]

    def due_schedules(self, now: float) -> list[ScheduleRecord]:
        """Enabled schedules whose time has come, the longest overdue first."""
        sql = "SELECT * FROM schedule WHERE enabled AND next_at <= ? ORDER BY next_at"
        return [_record(row) for row in self.db.rows(sql, (now,))]

    def fire_schedule(
        self, schedule_id: str, at: float, next_at: float | None, metadata: dict[str, Any]
    ) -> Event:
        """Note that a schedule fired and when it will again, and append `schedule.fired`, in one durable commit.

        Raises NotFound.
        """
        with self.db.write(durable=True) as connection:
            changed = connection.execute(
                "UPDATE schedule SET last_at = ?, next_at = ? WHERE id = ?",
                (at, next_at, schedule_id),
            )
            if not changed.rowcount:
                raise NotFound("schedule", schedule_id)
            told = {"schedule": schedule_id, **metadata}
            fired = NewEvent(kind=EventKind.SCHEDULE_FIRED, at=at, metadata=told)
            return events.append(connection, None, [fired], None)[0]

    def enable_schedule(self, schedule_id: str, enabled: bool) -> None:
        """Let a schedule fire, or not. Raises NotFound."""
        self._change("UPDATE schedule SET enabled = ? WHERE id = ?", enabled, schedule_id)

    def remove_schedule(self, schedule_id: str) -> None:
        """Forget a schedule; what it has submitted stays. Raises NotFound."""
        self._change("DELETE FROM schedule WHERE id = ?", schedule_id)

    def _change(self, sql: str, *values: Any) -> None:
        with self.db.write(durable=True) as connection:
            if not connection.execute(sql, values).rowcount:
                raise NotFound("schedule", values[-1])


def _record(row: sqlite3.Row) -> ScheduleRecord:
    return ScheduleRecord.model_validate(decoded(row, "payload"))
