"""MLflow's SQLite store, without a server: `log_batch` and `get_metric_history`.

As it comes it keeps SQLite's rollback journal and synchronous FULL, so a call waits for the disk; with the option
`WAL` its connections are given what the kitchen's have.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.contestants.jobs import MetricJob
from benchmarks.contestants.metrics import VALUE, compete


class MLflow:
    """A run of MLflow's."""

    def __init__(self, path: Path) -> None:
        self._client = MlflowClient(f"sqlite:///{path}")
        experiment = self._client.create_experiment("bench")
        self._run = self._client.create_run(experiment).info.run_id

    def write(self, names: Sequence[str], steps: range) -> None:
        """One transaction."""
        now = int(time.time() * 1000)
        rows = [Metric(name, VALUE, now, step) for step in steps for name in names]
        self._client.log_batch(self._run, metrics=rows)

    def read(self, name: str) -> int:
        """As entities, the only way it has."""
        return len(self._client.get_metric_history(self._run, name))


def _like_the_kitchen(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


if __name__ == "__main__":
    if "WAL" in sys.argv:
        event.listen(Engine, "connect", _like_the_kitchen)
    with tempfile.TemporaryDirectory() as folder:
        compete(MetricJob.read(), MLflow(Path(folder) / "mlflow.db"))
