"""The event log: numbered here and nowhere else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import json_text
from kitchen_core.telemetry.ports import StaleAttempt
from kitchen_core.telemetry.schema import Event, EventKind, NewEvent
from kitchen_core.telemetry.status import STATUS_EVENTS

DURABLE_KINDS = frozenset(STATUS_EVENTS.values()) | {
    EventKind.RUN_CREATED,
    EventKind.CHECKPOINT_SAVED,
    EventKind.ARTIFACT_CREATED,
    EventKind.SCHEDULE_FIRED,
}
"""Events that must be on the disk before anybody acts on them."""

_INSERT = """
INSERT INTO event
  (run_id, seq, attempt, at, kind, stage, step, measurements, metadata, metric_mark)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Events:
    """The store's event log."""

    db: Database

    def append_events(
        self,
        run_id: str | None,
        events: Sequence[NewEvent],
        attempt: int | None = None,
        durable: bool = False,
    ) -> list[Event]:
        """Number the events and keep them, in order, in one transaction.

        attempt: who writes; None is the daemon, which no attempt replaces. The commit waits for the disk if
        `durable` or if one of the kinds always does. Raises StaleAttempt, NotFound, StoreFull.
        """
        durable = durable or any(event.kind in DURABLE_KINDS for event in events)
        with self.db.write(durable=durable) as connection:
            if run_id is not None:
                check_current(connection, run_id, attempt)
            return append(connection, run_id, events, attempt)

    def read_events(
        self,
        after_id: int = 0,
        run_id: str | None = None,
        limit: int | None = None,
        kinds: Collection[EventKind] | None = None,
        after_seq: int | None = None,
    ) -> list[Event]:
        """Events beyond the cursor in order: of one run, or the whole store's with the daemon's own.

        after_seq: a second cursor, among one run's events.
        """
        conditions = ["id > ?"]
        values: list[Any] = [after_id]
        if run_id is not None:
            conditions.append("run_id = ?")
            values.append(run_id)
        if after_seq is not None:
            conditions.append("seq > ?")
            values.append(after_seq)
        if kinds is not None:
            conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values.extend(kinds)
        order = "id" if run_id is None else "seq"
        sql = f"SELECT * FROM event WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?"
        return [_event(row) for row in self.db.rows(sql, [*values, -1 if limit is None else limit])]

    def daemon_events(self, kinds: Collection[EventKind]) -> list[Event]:
        """Events of some kinds that belong to no run, in order."""
        sql = (
            f"SELECT * FROM event WHERE run_id IS NULL AND kind IN ({', '.join('?' * len(kinds))}) "
            "ORDER BY id"
        )
        return [_event(row) for row in self.db.rows(sql, list(kinds))]

    def newest_ids(self) -> tuple[int, int]:
        """The ids that the newest event and the newest metric were given, 0 before the first."""
        given = dict(self.db.tuples("SELECT name, seq FROM sqlite_sequence"))
        return given.get("event", 0), given.get("metric", 0)

    def last_event(self, run_id: str, kind: EventKind) -> Event | None:
        """A run's newest event of a kind."""
        sql = "SELECT * FROM event WHERE run_id = ? AND kind = ? ORDER BY seq DESC LIMIT 1"
        row = self.db.row(sql, (run_id, kind))
        return None if row is None else _event(row)


def check_current(connection: sqlite3.Connection, run_id: str, attempt: int | None) -> None:
    """Raise StaleAttempt unless `attempt` is the run's current one and still open; None always passes."""
    row = connection.execute(
        "SELECT run.attempt, attempt.ended_at FROM run "
        "LEFT JOIN attempt ON attempt.run_id = run.id AND attempt.number = run.attempt WHERE run.id = ?",
        (run_id,),
    ).fetchone()
    if row is None:
        raise NotFound("run", run_id)
    if attempt is None:
        return
    current, ended_at = row
    if attempt != current:
        raise StaleAttempt(f"attempt {attempt} of run {run_id} was replaced by attempt {current}")
    if ended_at is not None:
        raise StaleAttempt(f"attempt {attempt} of run {run_id} was declared over")


def append(
    connection: sqlite3.Connection,
    run_id: str | None,
    events: Sequence[NewEvent],
    attempt: int | None,
) -> list[Event]:
    """Number and insert events within a transaction that the caller has begun and fenced."""
    seq = None if run_id is None else _last_seq(connection, run_id)
    mark = _metric_mark(connection)
    kept: list[Event] = []
    for event in events:
        seq = None if seq is None else seq + 1
        columns = _columns(run_id, seq, attempt, event)
        cursor = connection.execute(_INSERT, (*columns, mark))
        assert cursor.lastrowid is not None
        kept.append(
            Event.model_construct(
                id=cursor.lastrowid,
                run_id=run_id,
                seq=seq,
                attempt=attempt,
                metric_mark=mark,
                **dict(event),
            )
        )
    return kept


def _metric_mark(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'metric'").fetchone()
    return row[0] if row else 0


def _last_seq(connection: sqlite3.Connection, run_id: str) -> int:
    row = connection.execute("SELECT max(seq) FROM event WHERE run_id = ?", (run_id,)).fetchone()
    return row[0] or 0


def _columns(
    run_id: str | None, seq: int | None, attempt: int | None, event: NewEvent
) -> tuple[object, ...]:
    return (
        run_id,
        seq,
        attempt,
        event.at,
        event.kind,
        event.stage,
        event.step,
        json_text(event.measurements),
        json_text(event.metadata),
    )


def _event(row: sqlite3.Row) -> Event:
    values = dict(row)
    values["measurements"] = json.loads(values["measurements"])
    values["metadata"] = json.loads(values["metadata"])
    return Event.model_validate(values)
