"""Runs: submitting, finding, and changing their status."""

from __future__ import annotations

import difflib
import sqlite3
import time
from collections.abc import Collection
from typing import Any

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.errors import Ambiguous, NotFound
from kitchen_core.store.ids import new_id
from kitchen_core.store.lineage import put_node, run_node
from kitchen_core.store.records import NewRun, RunRecord, decoded, insert_sql, json_text
from kitchen_core.telemetry.schema import EventKind, Intent, NewEvent, RunError, RunStatus
from kitchen_core.telemetry.status import STATUS_EVENTS, check_transition

_JSON_COLUMNS = (
    "adapters",
    "wiring",
    "config",
    "pins",
    "after",
    "after_any",
    "parents",
    "needs",
    "error",
)
_NEWEST_FIRST = "ORDER BY created_at DESC, rowid DESC"
_BY_ID = "SELECT * FROM run WHERE id = ?"
_BY_NAME = f"SELECT * FROM run WHERE name = ? {_NEWEST_FIRST} LIMIT 1"
_MOST_CANDIDATES = 5
# Ids sort by time, and nothing in them is above `~`: the range is read off the index, the newest first.
_BY_PREFIX = f"""
SELECT * FROM run WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id DESC LIMIT {_MOST_CANDIDATES}
"""
_RECENT_NAMES = f"SELECT id, name FROM run {_NEWEST_FIRST} LIMIT 1000"


class Runs:
    """The store's runs."""

    db: Database

    def create_run(self, new: NewRun) -> RunRecord:
        """Take a submission: the run, its lineage node, `run.created` and `run.queued` or `run.held`, durably."""
        now = time.time()
        with self.db.write(durable=True) as connection:
            run_id = _unused_id(connection, now)
            values = new.model_dump(mode="json") | {
                "id": run_id,
                "attempt": 0,
                "progress_step": 0,
                "retries": 0,
                "created_at": now,
                "rank": now,
            }
            for column in _JSON_COLUMNS:
                values[column] = json_text(values[column]) if column in values else None
            connection.execute(insert_sql("run", values), values)
            put_node(connection, run_node(run_id, new.name))
            created = {"name": new.name, "recipe": new.recipe, "workflow": new.workflow}
            events.append(
                connection,
                run_id,
                [
                    NewEvent(kind=EventKind.RUN_CREATED, at=now, metadata=created),
                    _status_event(new.status, now, None, new.reason, None),
                ],
                None,
            )
            return _read(connection, run_id)

    def get_run(self, run_id: str) -> RunRecord:
        """The run with exactly this id. Raises NotFound."""
        return _read(self.db.connection(), run_id)

    def find_run(self, text: str) -> RunRecord:
        """The run that a user means: by id, by name (the newest of that name), or by a prefix of the id.

        Raises NotFound with what comes close, and Ambiguous with the candidates of a prefix.
        """
        text = text.strip()
        row = self.db.row(_BY_ID, (text.lower(),)) or self.db.row(_BY_NAME, (text,))
        if row is not None:
            return _record(row)
        rows = self.db.rows(_BY_PREFIX, (text.lower(),)) if text else []
        if not rows:
            raise NotFound("run", text, self._close_to(text))
        if len(rows) > 1:
            candidates = [f"{row['id']} ({row['name']})" for row in rows]
            raise Ambiguous("run", text, candidates)
        return _record(rows[0])

    def list_runs(
        self,
        status: RunStatus | None = None,
        recipe: str | None = None,
        limit: int | None = None,
        name: str | None = None,
    ) -> list[RunRecord]:
        """Runs, newest first."""
        asked = {"status": status, "recipe": recipe, "name": name}
        wanted = {column: value for column, value in asked.items() if value is not None}
        where = " AND ".join(f"{column} = ?" for column in wanted) or "1"
        sql = f"SELECT * FROM run WHERE {where} {_NEWEST_FIRST} LIMIT ?"
        rows = self.db.rows(sql, [*wanted.values(), -1 if limit is None else limit])
        return [_record(row) for row in rows]

    def newest_run(self, recipe: str, unlike: Collection[RunStatus]) -> RunRecord | None:
        """The newest run of a recipe whose status is none of these."""
        places = ", ".join("?" * len(unlike))
        sql = f"SELECT * FROM run WHERE recipe = ? AND status NOT IN ({places}) {_NEWEST_FIRST} LIMIT 1"
        row = self.db.row(sql, [recipe, *unlike])
        return None if row is None else _record(row)

    def queued_runs(self) -> list[RunRecord]:
        """What is queued, next first: by priority, then by rank."""
        sql = "SELECT * FROM run WHERE status = ? ORDER BY priority DESC, rank, rowid"
        return [_record(row) for row in self.db.rows(sql, (RunStatus.QUEUED,))]

    def queued_ids(self) -> list[str]:
        """The ids of what is queued, next first."""
        sql = "SELECT id FROM run WHERE status = ? ORDER BY priority DESC, rank, rowid"
        return [run_id for (run_id,) in self.db.tuples(sql, (RunStatus.QUEUED,))]

    def set_intent(self, run_id: str, intent: Intent | None) -> None:
        """Ask something of a run, or take it back. The worker reads it; a change of status settles it."""
        self._set(run_id, durable=True, intent=intent)

    def hold_for(self, run_id: str, reason: str, lost: list[str]) -> None:
        """Say anew why a held run waits, with a `run.held` event. lost: runs that it waits for in vain."""
        metadata = {"reason": reason, "lost": lost}
        event = NewEvent(kind=EventKind.RUN_HELD, at=time.time(), metadata=metadata)
        with self.db.write(durable=True) as connection:
            _update(connection, run_id, reason=reason)
            events.append(connection, run_id, [event], None)

    def transition(
        self,
        run_id: str,
        status: RunStatus,
        *,
        expect_attempt: int | None = None,
        reason: str | None = None,
        error: RunError | None = None,
    ) -> RunRecord:
        """Change a run's status and append the event that says so, in one durable commit.

        Anything but `running` also settles the run's intent. Raises InvalidTransition, NotFound, and
        StaleAttempt if `expect_attempt` is given and not the current one.
        """
        now = time.time()
        with self.db.write(durable=True) as connection:
            events.check_current(connection, run_id, expect_attempt)
            run = _read(connection, run_id)
            check_transition(run.status, status)
            running = status is RunStatus.RUNNING
            _update(
                connection,
                run_id,
                status=status,
                reason=reason,
                error=None if error is None else json_text(error),
                intent=run.intent if running else None,
                started_at=run.started_at or (now if running else None),
                finished_at=now if status.is_final else None,
            )
            event = _status_event(status, now, run.progress_step, reason, error)
            events.append(connection, run_id, [event], expect_attempt)
            return _read(connection, run_id)

    def _set(self, run_id: str, *, durable: bool, **columns: Any) -> None:
        with self.db.write(durable=durable) as connection:
            _update(connection, run_id, **columns)

    def _close_to(self, text: str) -> list[str]:
        names = [name for row in self.db.rows(_RECENT_NAMES) for name in row]
        return difflib.get_close_matches(text, dict.fromkeys(names), n=3)


def _update(connection: sqlite3.Connection, run_id: str, **columns: Any) -> None:
    changes = ", ".join(f"{column} = :{column}" for column in columns)
    changed = connection.execute(
        f"UPDATE run SET {changes} WHERE id = :id", {**columns, "id": run_id}
    )
    if not changed.rowcount:
        raise NotFound("run", run_id)


def _read(connection: sqlite3.Connection, run_id: str) -> RunRecord:
    row = connection.execute("SELECT * FROM run WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotFound("run", run_id)
    return _record(row)


def _record(row: sqlite3.Row) -> RunRecord:
    return RunRecord.model_validate(decoded(row, *_JSON_COLUMNS))


def _unused_id(connection: sqlite3.Connection, at: float) -> str:
    while True:
        run_id = new_id(at)
        if not connection.execute("SELECT 1 FROM run WHERE id = ?", (run_id,)).fetchone():
            return run_id


def _status_event(
    status: RunStatus, at: float, step: int | None, reason: str | None, error: RunError | None
) -> NewEvent:
    metadata: dict[str, Any] = {}
    if reason is not None:
        metadata["reason"] = reason
    if error is not None:
        metadata["error"] = error.model_dump(mode="json")
    return NewEvent(kind=STATUS_EVENTS[status], at=at, step=step, metadata=metadata)
