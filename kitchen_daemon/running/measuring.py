"""What an attempt takes while it runs: memory at most, time, and the time of a step."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.process_memory import peak_process_bytes
from kitchen_core.store.records import RunRecord, Usage
from kitchen_core.store.store import Store
from kitchen_core.store.writer import RunWriter
from kitchen_core.telemetry.ports import ArtifactRecord
from kitchen_core.workflow.progress import Progress

logger = logging.getLogger(__name__)

COUNT_EVERY_S = 60.0


class Meter:
    """Keeps what the current attempt of a run takes beside the run's quote, on top of what earlier attempts took.

    energy: joules that its device has drawn since the attempt began; None where nobody measures.
    """

    def __init__(
        self,
        store: Store,
        run: RunRecord,
        attempt: int,
        progress: Progress,
        energy: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._store = store
        self._run = run
        self._attempt = attempt
        self._progress = progress
        self._energy = energy
        self._began = self._counted_at = time.monotonic()
        before = store.quote_of(run.id)
        self._busy_before = (before and before.busy_seconds) or 0.0
        self._energy_before = (before and before.used_energy_j) or 0.0

    def keep_counting(self) -> None:
        """Ask for the energy now and then: a device's counter may begin again at 0, but not twice in between."""
        if time.monotonic() - self._counted_at > COUNT_EVERY_S:
            self._count()

    def record(self) -> None:
        """Write down what was taken so far. It never raises: nothing depends on it."""
        try:
            self._store.record_usage(self._run.id, self._usage(), self._attempt)
        except Exception:  # a replaced attempt and a full disk are told by what comes next
            logger.warning("what the run took was not written down", exc_info=True)

    def _usage(self) -> Usage:
        used = self._count()
        return Usage(
            peak_memory_bytes=_peak_memory(self._run.config, self._run.wiring),
            busy_seconds=self._busy_before + time.monotonic() - self._began,
            seconds_a_step=self._progress.seconds_a_step,
            energy_j=None if used is None else self._energy_before + used,
        )

    def _count(self) -> float | None:
        self._counted_at = time.monotonic()
        return self._energy()


class MeteredWriter(RunWriter):
    """A writer that records what the run took with each checkpoint."""

    meter: Meter | None = None

    def set_progress(self, step: int, total_steps: int | None, eta_s: float | None) -> None:
        """As a RunWriter does."""
        super().set_progress(step, total_steps, eta_s)
        if self.meter is not None:
            self.meter.keep_counting()

    def save_checkpoint(self, record: ArtifactRecord, step: int, metadata: dict[str, Any]) -> None:
        """As a RunWriter does."""
        super().save_checkpoint(record, step, metadata)
        if self.meter is not None:
            self.meter.record()


def _peak_memory(config: Mapping[str, Any], wiring: Mapping[str, Any]) -> int:
    """As the adapter that trains says; the process's where it says nothing."""
    choice = Manifest.model_validate(wiring).ports["training_client"]
    trainer = find_adapters().by_name.get(choice.adapter)
    if trainer is None or trainer.peak_memory is None:
        return peak_process_bytes()
    return trainer.peak_memory(str(config["device"]))
