"""Schedules: submissions that wait for their time. When the next time is, the daemon works out."""

from __future__ import annotations

import difflib
import sqlite3
import time
from typing import Any

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.errors import NameTaken, NotFound
from kitchen_core.store.ids import new_id
from kitchen_core.store.records import (
    Missed,
    NewQuote,
    NewRun,
    QuoteRecord,
    RunRecord,
    ScheduleRecord,
    decoded,
    insert_sql,
    json_text,
)
from kitchen_core.store.runs import insert_run
from kitchen_core.telemetry.schema import EventKind, NewEvent, RunStatus

_LAST_COMPLETED = """
SELECT quote.* FROM run JOIN quote ON quote.run_id = run.id
WHERE run.schedule_id = ? AND run.status = ? ORDER BY run.scheduled_at DESC LIMIT 1
"""
_DUE = "UPDATE schedule SET next_at = ? WHERE id = ?"
_BY_NAME = "SELECT * FROM schedule WHERE name = ?1 OR id = ?1 ORDER BY name = ?1 DESC LIMIT 1"


class Schedules:
    """The store's schedules."""

    db: Database

    def add_schedule(
        self,
        name: str,
        recipe: str,
        payload: dict[str, Any],
        trigger: str,
        next_at: float | None,
        *,
        timezone: str = "UTC",
        missed: Missed = "once",
        quote: dict[str, Any] | None = None,
        made_at: float | None = None,
    ) -> ScheduleRecord:
        """Keep a submission for later, durably. next_at: when it is first due. made_at: what its trigger counts
        from, now if None. Raises NameTaken.
        """
        now = time.time() if made_at is None else made_at
        schedule = ScheduleRecord(
            id=new_id(now),
            name=name,
            recipe=recipe,
            payload=payload,
            trigger=trigger,
            timezone=timezone,
            missed=missed,
            next_at=next_at,
            quote=quote,
            created_at=now,
        )
        values = schedule.model_dump() | {
            "payload": json_text(payload),
            "quote": None if quote is None else json_text(quote),
        }
        with self.db.write(durable=True) as connection:
            if connection.execute("SELECT 1 FROM schedule WHERE name = ?", (name,)).fetchone():
                raise NameTaken("schedule", name)
            connection.execute(insert_sql("schedule", values), values)
        return schedule

    def find_schedule(self, text: str) -> ScheduleRecord:
        """The schedule of that name or id. Raises NotFound with what comes close."""
        row = self.db.row(_BY_NAME, (text.strip(),))
        if row is None:
            names = [row["name"] for row in self.db.rows("SELECT name FROM schedule")]
            raise NotFound("schedule", text, difflib.get_close_matches(text, names))
        return _record(row)

    def list_schedules(self) -> list[ScheduleRecord]:
        """Every schedule, the next due first and those that never fire again last."""
        rows = self.db.rows("SELECT * FROM schedule ORDER BY next_at IS NULL, next_at, created_at")
        return [_record(row) for row in rows]

    def due_schedules(self, now: float) -> list[ScheduleRecord]:
        """Enabled schedules whose time has come, the longest overdue first."""
        sql = "SELECT * FROM schedule WHERE enabled AND next_at <= ? ORDER BY next_at"
        return [_record(row) for row in self.db.rows(sql, (now,))]

    def next_due(self) -> float | None:
        """When an enabled schedule is next due; None where none is."""
        row = self.db.row("SELECT min(next_at) AS at FROM schedule WHERE enabled")
        return row["at"] if row else None

    def fire_schedule(
        self,
        schedule: ScheduleRecord,
        at: float,
        next_at: float | None,
        run: NewRun | None,
        quote: NewQuote | None = None,
        *,
        error: str | None = None,
        told: dict[str, Any] | None = None,
    ) -> RunRecord | None:
        """Let a schedule fire for the time `at`, as one durable transaction: its run is taken, it notes when it is
        due again, and `schedule.fired` says so, with `told`.

        run: what it submits; None, with `error`, where there is nothing to submit. Returns the run. Nothing happens,
        and None comes back, where another was first: it is not due as this record says, or was removed or disabled.
        Where that time has its run already it makes none either, and goes on to the next time.
        """
        now = time.time()
        with self.db.write(durable=True) as connection:
            if not _is_as_read(connection, schedule):
                return None
            if _has_run(connection, schedule.id, at):
                connection.execute(_DUE, (next_at, schedule.id))
                return None
            made = None
            if run is not None:
                firing = {"schedule_id": schedule.id, "scheduled_at": at}
                made = insert_run(connection, run.model_copy(update=firing), quote, now)
            connection.execute(
                "UPDATE schedule SET last_at = ?, next_at = ?, last_error = ? WHERE id = ?",
                (at, next_at, error, schedule.id),
            )
            facts = {
                "schedule": schedule.id,
                "name": schedule.name,
                "scheduled_at": at,
                "next_at": next_at,
                "run": None if made is None else made.id,
                "error": error,
                **(told or {}),
            }
            fired = NewEvent(kind=EventKind.SCHEDULE_FIRED, at=now, metadata=facts)
            events.append(connection, None, [fired], None)
            return made

    def reschedule(self, schedule: ScheduleRecord, next_at: float | None) -> bool:
        """Change when a schedule is due; whether it was still as this record says."""
        with self.db.write(durable=True) as connection:
            changed = connection.execute(
                "UPDATE schedule SET next_at = ? WHERE id = ? AND next_at IS ?",
                (next_at, schedule.id, schedule.next_at),
            )
            return bool(changed.rowcount)

    def has_fired(self, schedule_id: str, at: float) -> bool:
        """Whether a schedule has made its run for a time."""
        return _has_run(self.db.connection(), schedule_id, at)

    def last_run_of(self, schedule: ScheduleRecord) -> str | None:
        """The id of the run that its last firing made; None where that made none, or it was never due."""
        sql = "SELECT id FROM run WHERE schedule_id = ? AND scheduled_at = ?"
        row = self.db.row(sql, (schedule.id, schedule.last_at))
        return row["id"] if row else None

    def last_completed_of(self, schedule_id: str) -> QuoteRecord | None:
        """What the last run of a schedule that has completed was said to take, and took."""
        row = self.db.row(_LAST_COMPLETED, (schedule_id, RunStatus.COMPLETED))
        return None if row is None else QuoteRecord.model_validate(decoded(row, "formula"))

    def enable_schedule(self, schedule_id: str, next_at: float) -> None:
        """Let a schedule fire, next at that time. Raises NotFound."""
        self._change(
            "UPDATE schedule SET enabled = 1, next_at = ? WHERE id = ?", next_at, schedule_id
        )

    def disable_schedule(self, schedule_id: str) -> None:
        """Let a schedule fire no more until it is enabled. Raises NotFound."""
        self._change("UPDATE schedule SET enabled = 0 WHERE id = ?", schedule_id)

    def remove_schedule(self, schedule_id: str) -> None:
        """Forget a schedule; what it has submitted stays. Raises NotFound."""
        self._change("DELETE FROM schedule WHERE id = ?", schedule_id)

    def _change(self, sql: str, *values: Any) -> None:
        with self.db.write(durable=True) as connection:
            if not connection.execute(sql, values).rowcount:
                raise NotFound("schedule", values[-1])


def _is_as_read(connection: sqlite3.Connection, schedule: ScheduleRecord) -> bool:
    sql = "SELECT 1 FROM schedule WHERE id = ? AND next_at IS ? AND enabled = ?"
    values = (schedule.id, schedule.next_at, schedule.enabled)
    return connection.execute(sql, values).fetchone() is not None


def _has_run(connection: sqlite3.Connection, schedule_id: str, at: float) -> bool:
    sql = "SELECT 1 FROM run WHERE schedule_id = ? AND scheduled_at = ?"
    return connection.execute(sql, (schedule_id, at)).fetchone() is not None


def _record(row: sqlite3.Row) -> ScheduleRecord:
    return ScheduleRecord.model_validate(decoded(row, "payload", "quote"))
