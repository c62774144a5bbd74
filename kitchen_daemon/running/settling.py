"""What becomes of a run whose worker is gone, where the worker could not say it."""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress

from kitchen_core.home import Home
from kitchen_core.store.records import RunRecord
from kitchen_core.store.runs import StatusChange
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Intent, RunError, RunStatus
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.logs import last_lines
from kitchen_daemon.running.resuming import where_it_goes_on
from kitchen_daemon.secrets import redactor


def settle(home: Home, store: Store, run_id: str, attempt: int, exit_code: int | None) -> None:
    """Close an attempt whose worker is gone, and say what became of its run, in one commit: whoever is killed
    before it finds the attempt open and settles it again. exit_code None: nobody saw it.
    """
    shutil.rmtree(home.attempt_scratch(run_id, attempt), ignore_errors=True)
    redactor(home).file(home.attempt_log(run_id, attempt))  # what C libraries wrote
    store.content.sweep()  # what it was storing
    run = store.get_run(run_id)
    changes = [] if run.attempt != attempt else _what_becomes_of(home, store, run, exit_code)
    store.end_attempt(run_id, attempt, exit_code, changes)


def _what_becomes_of(
    home: Home, store: Store, run: RunRecord, exit_code: int | None
) -> list[StatusChange]:
    how = _how_it_ended(exit_code)
    match run.status, run.intent:
        case RunStatus.RUNNING | RunStatus.QUEUED, Intent.CANCEL:
            return [StatusChange(RunStatus.CANCELLED, f"cancelled; {how}")]
        case RunStatus.RUNNING, Intent.PAUSE if run.paused_for is not None:
            goes_on = _goes_on(store, run)
            return [_interrupted(how), _queued(f"{how} before it was paused; {goes_on}")]
        case RunStatus.RUNNING, Intent.PAUSE:
            return [
                _interrupted(f"{how} before it was paused; go on with: kitchen resume {run.id}")
            ]
        case RunStatus.RUNNING, None if run.retries < run.max_retries:
            return [_interrupted(how), _retried(store, run, how)]
        case RunStatus.RUNNING, None:
            return [_interrupted(f"{how}{_limit(run)}; go on with: kitchen resume {run.id}")]
        case RunStatus.INTERRUPTED, _ if run.retries < run.max_retries:
            return [_retried(store, run, "its worker was asked to end")]
        case RunStatus.QUEUED, None if exit_code is not None and run.retries < run.max_retries:
            early = f"{how} before the run began"
            return [_interrupted(early), _retried(store, run, early)]
        case RunStatus.QUEUED, None if exit_code is not None:
            return [StatusChange(RunStatus.FAILED, error=_died_early(home, run, how))]
    return []


def _interrupted(reason: str) -> StatusChange:
    return StatusChange(RunStatus.INTERRUPTED, reason)


def _queued(reason: str) -> StatusChange:
    return StatusChange(RunStatus.QUEUED, reason)


def _retried(store: Store, run: RunRecord, how: str) -> StatusChange:
    count = f"retry {run.retries + 1} of {run.max_retries}"
    reason = f"interrupted: {how}; {_goes_on(store, run)}, {count}"
    return StatusChange(RunStatus.QUEUED, reason, is_retry=True)


def _goes_on(store: Store, run: RunRecord) -> str:
    with suppress(ResumeError):  # its next worker fails, and says why
        return where_it_goes_on(store, run.id)
    return "goes on from its last checkpoint"


def _limit(run: RunRecord) -> str:
    if not run.max_retries:
        return ""
    times = "once" if run.retries == 1 else f"{run.retries} times"
    return f", and it has gone on by itself {times}, as often as it may"


def _died_early(home: Home, run: RunRecord, how: str) -> RunError:
    return RunError(
        type="WorkerDied",
        message=f"{how} before the run began",
        hint=f"look at {home.daemon_log}, then try again with: kitchen resume {run.id}",
        log_tail=last_lines(home.attempt_log(run.id, run.attempt)),
    )


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is None:
        return "the worker ended unseen"
    if exit_code < 0:
        return f"the worker was killed by {signal.Signals(-exit_code).name}"
    return f"the worker ended with exit code {exit_code}"
