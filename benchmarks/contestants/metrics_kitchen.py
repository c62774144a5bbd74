"""The kitchen's store, through the writer of a run: a call is a transaction, WAL and synchronous NORMAL."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants.jobs import MetricJob
from benchmarks.contestants.metrics import VALUE, compete
from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.telemetry.ports import MetricRow


class Kitchen:
    """A run of the kitchen's store."""

    def __init__(self, home: Path) -> None:
        self._store = Store.open(home)
        run = self._store.create_run(NewRun(name="bench", recipe="bench", workflow="bench")).id
        attempt = self._store.begin_attempt(run, 1, 0.0, "", "")
        self._writer = RunWriter(self._store, run, attempt)

    def write(self, names: Sequence[str], steps: range) -> None:
        """As telemetry does."""
        self._writer.write_metrics(
            [MetricRow(name, step, VALUE) for step in steps for name in names]
        )

    def read(self, name: str) -> int:
        """As the API does."""
        return len(self._store.series(self._writer.run_id, [name])[name])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        compete(MetricJob.read(), Kitchen(Path(folder)))
