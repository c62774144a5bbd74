"""trackio's SQLite store, without its server and its client's queue: `bulk_log` and `get_logs`.

It keeps WAL and synchronous NORMAL, as the kitchen does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

from benchmarks.contestants.jobs import MetricJob
from benchmarks.contestants.metrics import VALUE, compete

PROJECT, RUN = "bench", "run"


class Trackio:
    """A run of trackio's."""

    def __init__(self) -> None:
        # It decides where to write when it is imported.
        from trackio.sqlite_storage import (  # pyright: ignore[reportMissingImports]
            SQLiteStorage,
        )

        self._storage = SQLiteStorage

    def write(self, names: Sequence[str], steps: range) -> None:
        """A row a step, with all its series."""
        rows = [dict.fromkeys(names, VALUE) for _ in steps]
        self._storage.bulk_log(PROJECT, RUN, rows, list(steps))

    def read(self, name: str) -> int:
        """As rows, of which those with this series count."""
        return sum(name in row for row in self._storage.get_logs(PROJECT, RUN))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRACKIO_DIR"] = folder
        compete(MetricJob.read(), Trackio())
