"""One run in one process: wire the ports, run the workflow, and say how it ended."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.resolver import Resolver
from kitchen_core.store.lineage import run_node
from kitchen_core.store.records import RunRecord
from kitchen_core.store.runs import StatusChange
from kitchen_core.store.store import Store
from kitchen_core.store.writer import RunWriter
from kitchen_core.telemetry.emitter import Telemetry
from kitchen_core.telemetry.ports import Node, StaleAttempt
from kitchen_core.telemetry.schema import (
    EventKind,
    Intent,
    NewEvent,
    PausedFor,
    RunError,
    RunStatus,
)
from kitchen_core.train.ports.errors import PortError
from kitchen_core.workflow.context import Interrupted, RunContext
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflows.reading import load_for_run
from kitchen_daemon.expected import EXPECTED
from kitchen_daemon.logs import last_lines
from kitchen_daemon.machine.energy import EnergyMeter, cpu_meter, gpu_meter
from kitchen_daemon.reserve import release_reserve
from kitchen_daemon.running.measuring import Meter, MeteredWriter
from kitchen_daemon.running.noticing import noticed_by
from kitchen_daemon.running.resolving import make_resolver
from kitchen_daemon.running.resuming import (
    check_installed,
    find_checkpoint,
    recipe_file,
    what_is_wrong,
)
from kitchen_daemon.secrets import read_secrets, redactor

logger = logging.getLogger(__name__)

PATIENCE_S = 600.0  # a training run does not fail because somebody else is writing
ENDED = 0
REPLACED = 3
FULL = errno.ENOSPC


async def execute_run(home: Home, run_id: str, attempt: int) -> int:
    """Run to an end and record it; returns the exit code.

    A replaced worker ends without a word to the store.
    """
    store = Store.open(home.root, migrate=False, patience_s=PATIENCE_S)
    writer = MeteredWriter(store, run_id, attempt, redactor(home))
    stop = _StopSignal()
    signal.signal(signal.SIGTERM, stop.receive)
    try:
        await _run_and_record(home, store, writer, stop)
    except StaleAttempt as error:
        logger.warning("%s; this worker ends", error)
        return REPLACED
    finally:
        store.close()
    return ENDED


async def _run_and_record(
    home: Home, store: Store, writer: MeteredWriter, stop: _StopSignal
) -> None:
    scratch = home.attempt_scratch(writer.run_id, writer.attempt)
    try:
        writer.set_status(RunStatus.RUNNING)
        outcome = await _run(home, store, writer, stop, scratch)
        writer.set_status(RunStatus.COMPLETED, reason="; ".join(outcome) or None)
    except StaleAttempt:
        raise
    except Interrupted:
        writer.stop(_as_asked)
    except Exception as error:  # whatever went wrong is told to the user
        _record_failure(home, writer, error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def _run(
    home: Home, store: Store, writer: MeteredWriter, stop: _StopSignal, scratch: Path
) -> list[str]:
    """Returns what the stages had to say about how the run ended."""
    run = store.get_run(writer.run_id)
    check_installed(run)
    workflow, config = load_for_run(recipe_file(store, run), run.config)
    checkpoint = _rewind(store, writer) if writer.attempt > 1 else None
    telemetry = Telemetry(writer)
    wiring = Wiring(Manifest.model_validate(run.wiring), read_secrets(home), noticed_by(telemetry))
    ctx = RunContext(
        config=config,
        log=writer,
        telemetry=telemetry,
        connector=wiring,
        resolver=_resolver(store, writer, run, wiring),
        registry=writer,
        scratch=scratch,
        cache=home.cache,
        stop_asked=stop.asked,
    )
    writer.meter = Meter(store, run, writer.attempt, ctx.progress, _energy_meter(run).joules)
    try:
        await Runner(workflow, ctx).run(checkpoint)
    finally:
        writer.meter.record()
        await wiring.close()
    return ctx.outcome


def _energy_meter(run: RunRecord) -> EnergyMeter:
    """Of what the run computes on."""
    if run.config.get("device") != "cuda":
        return cpu_meter()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return gpu_meter(filter(None, visible.split(",")))


def _resolver(store: Store, writer: RunWriter, run: RunRecord, wiring: Wiring) -> Resolver:
    node = run_node(run.id, run.name)

    def on_resolved(ref: str, found: Node, role: str) -> None:
        writer.add_edge(found, node, role)
        logger.info("%s %s is %s (sha256 %s)", role, ref, found.name, found.sha256)

    return make_resolver(store, wiring, run.pins, on_resolved, writer.pin)


def _rewind(store: Store, writer: RunWriter) -> Path | None:
    """The newest whole checkpoint's folder, and the store as it was when that was taken; None
    starts from the beginning.
    """
    found = find_checkpoint(store, writer.run_id)
    for damaged in found.damaged:
        message = f"{damaged.name} {what_is_wrong(damaged)}; going on from {found.name}"
        metadata = {"level": "warning", "message": message}
        event = NewEvent(kind=EventKind.LOG, at=time.time(), step=found.step, metadata=metadata)
        writer.append([event])
    writer.rewind(found.step)
    return found.folder


class _StopSignal:
    """Set by SIGTERM; the run looks at it at every boundary."""

    def __init__(self) -> None:
        self._received = False

    def receive(self, number: int, frame: object) -> None:
        self._received = True

    def asked(self) -> bool:
        return self._received


_GOES_ON_LATER = {
    PausedFor.WINDOW: "its window has closed; it goes on by itself when that opens",
    PausedFor.PREEMPTION: "it made room for another run; it goes on by itself when there is room again",
    PausedFor.QUEUE: "the queue was paused; it goes on by itself after: kitchen queue resume",
}


def _as_asked(run: RunRecord) -> StatusChange:
    """What becomes of a run that stops."""
    by_hand = f"go on with: kitchen resume {run.id}"
    match run.intent:
        case Intent.CANCEL:
            return StatusChange(RunStatus.CANCELLED, "cancelled")
        case Intent.PAUSE:
            reason = by_hand if run.paused_for is None else _GOES_ON_LATER[run.paused_for]
            return StatusChange(RunStatus.PAUSED, reason)
        case None:
            return StatusChange(RunStatus.INTERRUPTED, f"its worker was asked to end; {by_hand}")


def _record_failure(home: Home, writer: RunWriter, error: Exception) -> None:
    stage = error.stage if isinstance(error, StageFailed) else None
    cause = error.error if isinstance(error, StageFailed) else error
    if _is_full_disk(cause):
        release_reserve(home)  # before anything is printed: the log is on that disk too
    traceback.print_exception(error)
    sys.stderr.flush()
    log = home.attempt_log(writer.run_id, writer.attempt)
    told = RunError(
        type=type(cause).__name__,
        message=str(cause) or type(cause).__name__,
        hint=_hint(home, writer.run_id, cause),
        stage=stage,
        log_tail=[] if isinstance(cause, EXPECTED) else last_lines(log),
    )
    writer.set_status(RunStatus.FAILED, reason=told.message, error=told)


def _hint(home: Home, run_id: str, error: Exception) -> str:
    if isinstance(error, PortError):
        return error.hint
    if _is_full_disk(error):
        return f"free some space on the disk of {home.root}, then: kitchen resume {run_id}"
    return ""


def _is_full_disk(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno == FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
