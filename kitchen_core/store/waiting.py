"""What can be done to a run that waits: hold it, let it go, say why it waits, change its priority or group."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotWaiting
from kitchen_core.store.records import RunRecord
from kitchen_core.store.runs import StatusChange, change_status, read_run, update_run
from kitchen_core.telemetry.schema import EventKind, NewEvent, RunStatus

_HAS_WORKER = "SELECT 1 FROM attempt WHERE run_id = ? AND ended_at IS NULL"


class Wait(NamedTuple):
    """Why a run is held. lost: runs that it waits for in vain."""

    run_id: str
    reason: str
    lost: Sequence[str] = ()


class Waiting:
    """What the store does to runs that wait. All of it is durable; all but `settle_waits` raises NotFound, and
    NotWaiting for a run that does not.
    """

    db: Database

    def hold(self, run_id: str, reason: str) -> None:
        """Keep a run from starting until it is released, and append `run.held`."""
        with self.db.write(durable=True) as connection:
            run = check_waits(connection, run_id, "held")
            if not run.is_held:
                update_run(connection, run_id, is_held=True)
                _hold(connection, run, Wait(run_id, reason))

    def release(self, run_id: str, still: str | None) -> None:
        """Let a run go. still: why it waits nevertheless; None: it is queued."""
        with self.db.write(durable=True) as connection:
            run = check_waits(connection, run_id, "released")
            update_run(connection, run_id, is_held=False)
            if still is not None:
                _hold(connection, run, Wait(run_id, still))
            elif run.status is RunStatus.HELD:
                change_status(connection, run_id, StatusChange(RunStatus.QUEUED, "released"))

    def take_over(self, run_id: str, reason: str) -> None:
        """Keep a run paused that the kitchen had paused, until somebody resumes it, and append `run.paused`."""
        with self.db.write(durable=True) as connection:
            run = read_run(connection, run_id)
            if not run.is_set_aside:
                raise NotWaiting(run_id, f"is {run.status}", "paused", _remedy(run))
            update_run(connection, run_id, reason=reason, paused_for=None)
            event = NewEvent(
                kind=EventKind.RUN_PAUSED,
                at=time.time(),
                step=run.progress_step,
                metadata={"reason": reason},
            )
            events.append(connection, run_id, [event], None)

    def settle_waits(self, held: Iterable[Wait], queued: Iterable[str]) -> None:
        """Hold runs that are queued, say anew why held ones wait, and queue held ones, each with its event.

        What has become of a run meanwhile stays.
        """
        with self.db.write(durable=True) as connection:
            for wait in held:
                run = read_run(connection, wait.run_id)
                if _is_free(connection, run) and run.reason != wait.reason:
                    _hold(connection, run, wait)
            for run_id in queued:
                run = read_run(connection, run_id)
                if run.status is RunStatus.HELD and not run.is_held:
                    change_status(connection, run_id, StatusChange(RunStatus.QUEUED))

    def change_waiting(
        self, run_id: str, *, priority: int | None = None, group: str | None = None
    ) -> None:
        """Give a run another priority, or put it into another group; None leaves it as it is."""
        asked = {"priority": priority, "queue_group": group}
        columns = {name: value for name, value in asked.items() if value is not None}
        with self.db.write(durable=True) as connection:
            check_waits(connection, run_id, "changed")
            if columns:
                update_run(connection, run_id, **columns)


def check_waits(connection: sqlite3.Connection, run_id: str, asked: str) -> RunRecord:
    """The run, which waits and has no worker. asked: what it should be, for the error. Raises NotWaiting."""
    run = read_run(connection, run_id)
    if not run.waits:
        raise NotWaiting(run_id, f"is {run.status}", asked, _remedy(run))
    if _has_worker(connection, run_id):
        raise NotWaiting(run_id, "has a worker already", asked, "ask again in a moment")
    return run


def _remedy(run: RunRecord) -> str:
    match run.status:
        case RunStatus.RUNNING:
            return f"stop it for now with: kitchen pause {run.id}"
        case RunStatus.COMPLETED:
            return f"run the same again with: kitchen retry {run.id}"
        case _:
            return f"queue it with: kitchen resume {run.id}"


def _hold(connection: sqlite3.Connection, run: RunRecord, wait: Wait) -> None:
    """Hold a run, or say anew why it is held."""
    update_run(connection, run.id, status=RunStatus.HELD, reason=wait.reason, paused_for=None)
    metadata = {"reason": wait.reason, "lost": list(wait.lost)}
    event = NewEvent(kind=EventKind.RUN_HELD, at=time.time(), metadata=metadata)
    events.append(connection, run.id, [event], None)


def _is_free(connection: sqlite3.Connection, run: RunRecord) -> bool:
    is_in_queue = run.status in (RunStatus.QUEUED, RunStatus.HELD)
    return is_in_queue and not _has_worker(connection, run.id)


def _has_worker(connection: sqlite3.Connection, run_id: str) -> bool:
    return connection.execute(_HAS_WORKER, (run_id,)).fetchone() is not None
