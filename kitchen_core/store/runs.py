"""Runs: submitting, finding, and changing their status."""

from __future__ import annotations

import difflib
import sqlite3
import time
from collections.abc import Collection
from typing import Any, NamedTuple

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.errors import Ambiguous, NotFound
from kitchen_core.store.ids import new_id
from kitchen_core.store.lineage import put_node, run_node
from kitchen_core.store.quotes import put_quote
from kitchen_core.store.records import NewQuote, NewRun, RunRecord, decoded, insert_sql, json_text
from kitchen_core.telemetry.schema import (
    EventKind,
    Intent,
    NewEvent,
    PausedFor,
    RunError,
    RunStatus,
)
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
_OLDER = "(created_at, rowid) < (SELECT created_at, rowid FROM run WHERE id = ?)"
_BY_ID = "SELECT * FROM run WHERE id = ?"
_BY_NAME = f"SELECT * FROM run WHERE name = ? {_NEWEST_FIRST} LIMIT 1"
_NEXT_RANK_S = 1e-3
_HAS_WORKER = """
status IN ('queued', 'running') AND id IN (SELECT run_id FROM attempt WHERE ended_at IS NULL)
"""
_ASK = f"UPDATE run SET intent = ?, paused_for = NULL WHERE id = ? AND {_HAS_WORKER}"
_SET_ASIDE = (
    f"UPDATE run SET intent = ?, paused_for = ? WHERE id = ? AND intent IS NULL AND {_HAS_WORKER}"
)
_MOST_CANDIDATES = 5
# Ids sort by time, and nothing in them is above `~`: the range is read off the index, the newest first.
_BY_PREFIX = f"""
SELECT * FROM run WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id DESC LIMIT {_MOST_CANDIDATES}
"""
_RECENT_NAMES = f"SELECT id, name FROM run {_NEWEST_FIRST} LIMIT 1000"


class StatusChange(NamedTuple):
    """What becomes of a run. is_retry: it goes on by itself after an interruption, which is counted."""

    status: RunStatus
    reason: str | None = None
    error: RunError | None = None
    is_retry: bool = False


class Runs:
    """The store's runs."""

    db: Database

    def create_run(self, new: NewRun, quote: NewQuote | None = None) -> RunRecord:
        """Take a submission: the run, its quote, its lineage node, `run.created` and `run.queued` or `run.held`,
        durably.
        """
        with self.db.write(durable=True) as connection:
            return insert_run(connection, new, quote, time.time())

    def get_run(self, run_id: str) -> RunRecord:
        """The run with exactly this id. Raises NotFound."""
        return read_run(self.db.connection(), run_id)

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
        before: str | None = None,
    ) -> list[RunRecord]:
        """Runs, newest first. before: only those that come after the run with this id in that order."""
        asked = {"status": status, "recipe": recipe, "name": name}
        wanted = {column: value for column, value in asked.items() if value is not None}
        conditions = [f"{column} = ?" for column in wanted]
        values = list(wanted.values())
        if before is not None:
            conditions.append(_OLDER)
            values.append(before)
        where = " AND ".join(conditions) or "1"
        sql = f"SELECT * FROM run WHERE {where} {_NEWEST_FIRST} LIMIT ?"
        rows = self.db.rows(sql, [*values, -1 if limit is None else limit])
        return [_record(row) for row in rows]

    def newest_run(self, recipe: str, unlike: Collection[RunStatus]) -> RunRecord | None:
        """The newest run of a recipe whose status is none of these."""
        places = ", ".join("?" * len(unlike))
        sql = f"SELECT * FROM run WHERE recipe = ? AND status NOT IN ({places}) {_NEWEST_FIRST} LIMIT 1"
        row = self.db.row(sql, [recipe, *unlike])
        return None if row is None else _record(row)

    def set_intent(self, run_id: str, intent: Intent) -> bool:
        """Ask a run that has a worker to stop, whatever the kitchen has asked before; whether it was asked: one that
        has stopped by itself is not. The worker reads it; a change of status settles it.
        """
        with self.db.write(durable=True) as connection:
            return bool(connection.execute(_ASK, (intent, run_id)).rowcount)

    def set_aside(self, run_id: str, why: PausedFor) -> bool:
        """Ask a run that has a worker to pause until the kitchen lets it go on; whether it was asked: one that
        somebody has asked something is left alone.
        """
        with self.db.write(durable=True) as connection:
            asked = connection.execute(_SET_ASIDE, (Intent.PAUSE, why, run_id))
            return bool(asked.rowcount)

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
        with self.db.write(durable=True) as connection:
            events.check_current(connection, run_id, expect_attempt)
            change_status(connection, run_id, StatusChange(status, reason, error), expect_attempt)
            return read_run(connection, run_id)

    def _close_to(self, text: str) -> list[str]:
        names = [name for row in self.db.rows(_RECENT_NAMES) for name in row]
        return difflib.get_close_matches(text, dict.fromkeys(names), n=3)


def insert_run(
    connection: sqlite3.Connection, new: NewRun, quote: NewQuote | None, now: float
) -> RunRecord:
    """Take a submission within a transaction that the caller has begun: see `Runs.create_run`."""
    run_id = _unused_id(connection, now)
    values = new.model_dump(mode="json") | {
        "id": run_id,
        "attempt": 0,
        "progress_step": 0,
        "retries": 0,
        "created_at": now,
        "rank": max(now, _last_rank(connection) + _NEXT_RANK_S),
    }
    for column in _JSON_COLUMNS:
        values[column] = json_text(values[column]) if column in values else None
    connection.execute(insert_sql("run", values), values)
    if quote is not None:
        put_quote(connection, run_id, quote)
    put_node(connection, run_node(run_id, new.name))
    created = {"name": new.name, "recipe": new.recipe, "workflow": new.workflow}
    events.append(
        connection,
        run_id,
        [
            NewEvent(kind=EventKind.RUN_CREATED, at=now, metadata=created),
            _status_event(StatusChange(new.status, new.reason), now),
        ],
        None,
    )
    return read_run(connection, run_id)


def change_status(
    connection: sqlite3.Connection, run_id: str, change: StatusChange, attempt: int | None = None
) -> None:
    """Change a run's status and append its event, within a transaction. attempt: who writes; None: the daemon.

    Raises InvalidTransition.
    """
    now = time.time()
    run = read_run(connection, run_id)
    check_transition(run.status, change.status)
    running = change.status is RunStatus.RUNNING
    paused_for = run.paused_for if running or change.status is RunStatus.PAUSED else None
    update_run(
        connection,
        run_id,
        status=change.status,
        is_held=run.is_held and change.status is RunStatus.HELD,
        reason=change.reason,
        error=None if change.error is None else json_text(change.error),
        intent=run.intent if running else None,
        paused_for=paused_for,
        retries=run.retries + change.is_retry,
        started_at=run.started_at or (now if running else None),
        finished_at=now if change.status.is_final else None,
    )
    event = _status_event(change, now, run.progress_step, None if running else paused_for)
    events.append(connection, run_id, [event], attempt)


def update_run(connection: sqlite3.Connection, run_id: str, **columns: Any) -> None:
    """Set columns of a run, within a transaction. Raises NotFound."""
    changes = ", ".join(f"{column} = :{column}" for column in columns)
    changed = connection.execute(
        f"UPDATE run SET {changes} WHERE id = :id", {**columns, "id": run_id}
    )
    if not changed.rowcount:
        raise NotFound("run", run_id)


def read_run(connection: sqlite3.Connection, run_id: str) -> RunRecord:
    """The run with this id. Raises NotFound."""
    row = connection.execute("SELECT * FROM run WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise NotFound("run", run_id)
    return _record(row)


def _record(row: sqlite3.Row) -> RunRecord:
    return RunRecord.model_validate(decoded(row, *_JSON_COLUMNS))


def _last_rank(connection: sqlite3.Connection) -> float:
    """The rank of the last submission: the next one follows it, even where a clock was set back."""
    row = connection.execute("SELECT rank FROM run ORDER BY rowid DESC LIMIT 1").fetchone()
    return row["rank"] if row else 0.0


def _unused_id(connection: sqlite3.Connection, at: float) -> str:
    while True:
        run_id = new_id(at)
        if not connection.execute("SELECT 1 FROM run WHERE id = ?", (run_id,)).fetchone():
            return run_id


def _status_event(
    change: StatusChange, at: float, step: int | None = None, paused_for: PausedFor | None = None
) -> NewEvent:
    metadata: dict[str, Any] = {}
    if change.reason is not None:
        metadata["reason"] = change.reason
    if paused_for is not None:
        metadata["paused_for"] = paused_for
    if change.error is not None:
        metadata["error"] = change.error.model_dump(mode="json")
    return NewEvent(kind=STATUS_EVENTS[change.status], at=at, step=step, metadata=metadata)
