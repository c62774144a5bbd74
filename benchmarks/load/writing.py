"""Workers that do nothing but write: each the writer of a run with an open attempt."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from benchmarks.load.signals import signals
from kitchen_core.home import Home
from kitchen_core.needs import Placement
from kitchen_core.store import RunWriter, Store
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import EventKind, NewEvent, RunStatus
from kitchen_daemon.process import ProcessIdentity

PATIENCE_S = 600.0
METRICS_EVERY_S = 0.2
"""How often telemetry writes its metrics."""


class Written(NamedTuple):
    """What a writer did. seconds: from its first event to its last. slowest: of all appends, in seconds."""

    run_id: str
    events: int
    seconds: float
    slowest: float


def write(home: Home, run_id: str, rate: float, seconds: float) -> Written:
    """Append `rate` events a second, one a commit as telemetry does, and four series' values between them."""
    with Store.open(home.root, migrate=False, patience_s=PATIENCE_S) as store:
        me = ProcessIdentity.of(os.getpid())
        log = home.attempt_log(run_id, 1)
        attempt = store.begin_attempt(
            run_id, me.pid, me.started_at, me.boot_id, log, Placement(slots=1)
        )
        writer = RunWriter(store, run_id, attempt)
        writer.set_status(RunStatus.RUNNING)
        signals().await_begin()
        written = _paced(writer, int(rate * seconds), rate)
        writer.set_status(RunStatus.COMPLETED)
        signals().over.wait()  # a worker that has gone is settled, which is not what is measured
        return written


def _paced(writer: RunWriter, count: int, rate: float) -> Written:
    begun = time.monotonic()
    slowest = 0.0
    metrics_at = begun
    for number in range(count):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        started = time.monotonic()
        if started >= metrics_at:
            writer.write_metrics([MetricRow(f"train/{name}", number, 0.5) for name in "abcd"])
            metrics_at = started + METRICS_EVERY_S
        writer.append([_event(number)])
        slowest = max(slowest, time.monotonic() - started)
    return Written(writer.run_id, count, time.monotonic() - begun, slowest)


def _event(number: int) -> NewEvent:
    told = {"level": "info", "message": f"event {number} of a run under load"}
    return NewEvent(kind=EventKind.LOG, at=time.time(), step=number, metadata=told)
