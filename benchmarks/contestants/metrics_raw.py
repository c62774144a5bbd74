"""Bare sqlite3, WAL and synchronous NORMAL: inserts into a table whose key is series and step, and one select."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contestants.jobs import MetricJob
from benchmarks.contestants.metrics import VALUE, compete


class Raw:
    """A table."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE metric (series, step, value, PRIMARY KEY (series, step)) WITHOUT ROWID"
        )

    def write(self, names: Sequence[str], steps: range) -> None:
        """One transaction."""
        rows = [(name, step, VALUE) for step in steps for name in names]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO metric VALUES (?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    def read(self, name: str) -> int:
        """In order of the steps."""
        query = "SELECT step, value FROM metric WHERE series = ? ORDER BY step"
        return len(self._connection.execute(query, (name,)).fetchall())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        compete(MetricJob.read(), Raw(Path(folder) / "raw.db"))
