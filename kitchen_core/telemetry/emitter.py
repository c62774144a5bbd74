"""Emitting a run's telemetry: metrics in batches, stage records folded, so that the log costs next
to nothing.

The first turn of a stage is recorded whole. In a hot loop the turns after it become one
`stage.folded` a second, with count, total, shortest and longest. Failures are never folded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kitchen_core.telemetry.ports import EventSink, MetricRow
from kitchen_core.telemetry.schema import EventKind, NewEvent, finite_or_none

FLUSH_SECONDS = 0.2
FOLD_SECONDS = 1.0


@dataclass
class _Fold:
    """The turns of one stage since its last record. Times in seconds."""

    count: int = 0
    total: float = 0.0
    shortest: float = math.inf
    longest: float = 0.0
    first_step: int = 0
    last_step: int = 0

    def add(self, seconds: float, step: int) -> None:
        if not self.count:
            self.first_step = step
        self.count += 1
        self.total += seconds
        self.shortest = min(self.shortest, seconds)
        self.longest = max(self.longest, seconds)
        self.last_step = step


class Telemetry:
    """Where stages and the runner say what happens.

    Times are in seconds, steps are optimizer steps done.
    """

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._metrics: list[MetricRow] = []
        self._latest: dict[str, MetricRow] = {}
        self._folds: dict[str, _Fold] = {}
        self._seen: set[str] = set()
        self._flushed_at = self._folded_at = time.monotonic()

    def event(
        self,
        kind: EventKind,
        /,
        *,
        stage: str | None = None,
        step: int | None = None,
        measurements: Mapping[str, float] | None = None,
        **metadata: Any,
    ) -> None:
        """Append an event now, after everything that was emitted before it."""
        self.flush()
        self._sink.append([_new_event(kind, stage, step, measurements or {}, metadata)])

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Values at a step. One that is not finite is kept as null and told in a `log` event."""
        for name, value in values.items():
            if not math.isfinite(value):
                message = f"{name} is {value} at step {step}"
                self.event(EventKind.LOG, step=step, level="warning", message=message)
            row = MetricRow(name, step, finite_or_none(value))
            self._metrics.append(row)
            self._latest[name] = row
        self._tick()

    def measured(self, step: int) -> dict[str, float | None]:
        """The newest value of each series that has one at this step; None where it was not finite."""
        return {row.name: row.value for row in self._latest.values() if row.step == step}

    @contextmanager
    def stage(self, name: str, step: int, *, hot: bool) -> Iterator[None]:
        """Time a stage's turn; `hot` ones, inside a loop, are folded after the first."""
        folded = hot and name in self._seen
        self._seen.add(name)
        if not folded:
            self.event(EventKind.STAGE_STARTED, stage=name, step=step)
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._failed(name, step, time.perf_counter() - started, error)
            raise
        seconds = time.perf_counter() - started
        if folded:
            self._folds.setdefault(name, _Fold()).add(seconds, step)
        else:
            self.event(
                EventKind.STAGE_COMPLETED,
                stage=name,
                step=step,
                measurements={"duration_s": seconds},
            )
        self._tick()

    def flush(self) -> None:
        """Write what has been held back."""
        self._flushed_at = time.monotonic()
        if self._metrics:
            rows, self._metrics = self._metrics, []
            self._sink.write_metrics(rows)

    def close(self) -> None:
        """Write everything, folds included."""
        self.flush()
        self._write_folds()

    def _failed(self, name: str, step: int, seconds: float, error: Exception) -> None:
        self.event(
            EventKind.STAGE_FAILED,
            stage=name,
            step=step,
            measurements={"duration_s": seconds},
            type=type(error).__name__,
            message=str(error),
        )

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._flushed_at >= FLUSH_SECONDS:
            self.flush()
        if now - self._folded_at >= FOLD_SECONDS:
            self._write_folds()

    def _write_folds(self) -> None:
        self._folded_at = time.monotonic()
        folds, self._folds = self._folds, {}
        events = [_folded_event(name, fold) for name, fold in folds.items()]
        if events:
            self._sink.append(events)


def _new_event(
    kind: EventKind,
    stage: str | None,
    step: int | None,
    measurements: Mapping[str, float],
    metadata: dict[str, Any],
) -> NewEvent:
    return NewEvent(
        kind=kind,
        at=time.time(),
        stage=stage,
        step=step,
        measurements={name: finite_or_none(value) for name, value in measurements.items()},
        metadata=metadata,
    )


def _folded_event(name: str, fold: _Fold) -> NewEvent:
    measurements = {
        "count": fold.count,
        "total_s": fold.total,
        "min_s": fold.shortest,
        "max_s": fold.longest,
        "first_step": fold.first_step,
        "last_step": fold.last_step,
    }
    return _new_event(EventKind.STAGE_FOLDED, name, fold.last_step, measurements, {})
