"""Metrics: rows by the hundred thousand, and the few shapes that charts and streams read.

A metric's step is the number of optimizer steps behind the weights that gave the value, so the first
step's is 0.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Sequence

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.records import Bucket, json_text
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import MetricPoint

# Many rows share one statement's cost, and one text serves all full chunks. IGNORE rather than a plain INSERT:
# a statement that can't fail halfway needs no journal of its own, which halves the time.
_CHUNK = 50
_INSERT = "INSERT OR IGNORE INTO metric (series_id, step, value) VALUES (?, ?, ?)"
_INSERT_CHUNK = _INSERT + ", (?, ?, ?)" * (_CHUNK - 1)
# REPLACE deletes the old row, so that a step written again has a new id and streams see it.
_REPLACE = "INSERT OR REPLACE INTO metric (series_id, step, value) VALUES (?, ?, ?)"

_WIDEN_SPAN = """
INSERT INTO metric_span (run_id, first_id, last_id) VALUES (?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET last_id = excluded.last_id
"""
_POINTS = """
SELECT metric.id, series.run_id, series.name, metric.step, metric.value
FROM metric CROSS JOIN series ON series.id = metric.series_id
WHERE metric.id > :after ORDER BY metric.id LIMIT :limit
"""
_POINTS_OF_RUN = """
SELECT metric.id, series.run_id, series.name, metric.step, metric.value
FROM metric_span AS span
CROSS JOIN metric ON metric.id BETWEEN max(span.first_id, :after + 1) AND span.last_id
CROSS JOIN series ON series.id = metric.series_id
WHERE span.run_id = :run AND series.run_id = :run ORDER BY metric.id LIMIT :limit
"""
_LAST_VALUES = """
SELECT run_id, name, metric.value
FROM json_each(?) AS asked CROSS JOIN series ON run_id = asked.value JOIN metric ON metric.series_id = series.id
WHERE step = (SELECT max(step) FROM metric WHERE series_id = series.id)
ORDER BY name
"""
_STEP_RANGE = """
SELECT min(step), max(step) FROM metric
WHERE series_id = ? AND step BETWEEN coalesce(?, step) AND coalesce(?, step)
"""
_BUCKETS = """
WITH bucket AS (
  SELECT min(step) AS first, max(step) AS last, min(value) AS low, max(value) AS high
  FROM metric WHERE series_id = :series AND step BETWEEN :first AND :last
  GROUP BY (step - :first) * :n / (:last - :first + 1)
)
SELECT bucket.first, bucket.last, low, high, metric.value
FROM bucket JOIN metric ON metric.series_id = :series AND metric.step = bucket.last
ORDER BY bucket.first
"""


class Metrics:
    """The store's metrics. Values that are not finite are kept as null."""

    db: Database
    _series_ids: dict[tuple[str, str], int]  # series are never deleted, so what is known stays true

    def write_metrics(
        self, run_id: str, rows: Iterable[MetricRow], attempt: int | None = None
    ) -> None:
        """Keep the values in one transaction; a step written again replaces the old value under a new id.

        attempt: who writes; None is nobody's attempt and always passes. Raises StaleAttempt, NotFound, StoreFull.
        """
        rows = list(rows)
        if not rows:
            return
        with self.db.write(durable=False) as connection:
            events.check_current(connection, run_id, attempt)
            ids = self._intern(connection, run_id, rows)
            _put(connection, [(ids[name], step, _finite(value)) for name, step, value in rows])
            last_id = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
            connection.execute(_WIDEN_SPAN, (run_id, last_id - len(rows) + 1, last_id))
        # Only now, after the commit, are new series there to stay.
        self._series_ids.update({(run_id, name): series_id for name, series_id in ids.items()})

    def read_points(
        self, after_metric_id: int = 0, run_id: str | None = None, limit: int | None = None
    ) -> list[MetricPoint]:
        """Points beyond the cursor in order of writing: of one run, or of all."""
        sql = _POINTS if run_id is None else _POINTS_OF_RUN
        values = {
            "after": after_metric_id,
            "run": run_id,
            "limit": -1 if limit is None else limit,
        }
        return [
            MetricPoint.model_construct(id=id_, run_id=run, name=name, step=step, value=value)
            for id_, run, name, step, value in self.db.tuples(sql, values)
        ]

    def series(
        self, run_id: str, names: Sequence[str] | None = None
    ) -> dict[str, list[list[float | None]]]:
        """`{name: [[step, value], ...]}` by step: every series of a run, or those named that exist."""
        sql = "SELECT step, value FROM metric WHERE series_id = ? ORDER BY step"
        return {
            name: list(map(list, self.db.tuples(sql, (series_id,))))
            for name, series_id in self._series_of(run_id).items()
            if names is None or name in names
        }

    def buckets(
        self,
        run_id: str,
        name: str,
        n: int,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> list[Bucket]:
        """At most `n` stretches of equal width over a series, or over a range of its steps; empty ones are left out."""
        series_id = self._series_of(run_id).get(name)
        first, last = next(self.db.tuples(_STEP_RANGE, (series_id, first_step, last_step)))
        if first is None:
            return []
        values = {"series": series_id, "first": first, "last": last, "n": n}
        return [Bucket(*row) for row in self.db.tuples(_BUCKETS, values)]

    def last_values(self, run_id: str) -> dict[str, float | None]:
        """The value at the last step of each series."""
        return self.last_values_of([run_id])[run_id]

    def last_values_of(self, run_ids: Sequence[str]) -> dict[str, dict[str, float | None]]:
        """For each of these runs, the value at the last step of each of its series."""
        found: dict[str, dict[str, float | None]] = {run_id: {} for run_id in run_ids}
        for run_id, name, value in self.db.tuples(_LAST_VALUES, (json_text(run_ids),)):
            found[run_id][name] = value
        return found

    def delete_beyond(self, run_id: str, step: int, attempt: int | None = None) -> int:
        """Delete a run's values beyond a step; returns how many. Raises StaleAttempt, NotFound."""
        with self.db.write(durable=False) as connection:
            events.check_current(connection, run_id, attempt)
            return delete_beyond(connection, run_id, step)

    def _series_of(self, run_id: str) -> dict[str, int]:
        sql = "SELECT name, id FROM series WHERE run_id = ? ORDER BY name"
        return dict(self.db.tuples(sql, (run_id,)))

    def _intern(
        self, connection: sqlite3.Connection, run_id: str, rows: Sequence[MetricRow]
    ) -> dict[str, int]:
        """The id of each series in the rows, made where it is new."""
        known = self._series_ids
        return {
            name: known.get((run_id, name)) or _intern_one(connection, run_id, name)
            for name in {row[0] for row in rows}
        }


def delete_beyond(connection: sqlite3.Connection, run_id: str, step: int) -> int:
    """Delete a run's values beyond a step within the caller's transaction."""
    return connection.execute(
        "DELETE FROM metric WHERE step > ? AND series_id IN (SELECT id FROM series WHERE run_id = ?)",
        (step, run_id),
    ).rowcount


def _put(connection: sqlite3.Connection, rows: Sequence[tuple[int, int, float | None]]) -> None:
    """Insert the rows as the newest. That a step is written again is rare and found by what was ignored."""
    full = len(rows) - len(rows) % _CHUNK
    inserted = 0
    for start in range(0, full, _CHUNK):
        cells = [cell for row in rows[start : start + _CHUNK] for cell in row]
        inserted += connection.execute(_INSERT_CHUNK, cells).rowcount
    inserted += max(connection.executemany(_INSERT, rows[full:]).rowcount, 0)
    if inserted < len(rows):
        connection.executemany(_REPLACE, rows)


def _intern_one(connection: sqlite3.Connection, run_id: str, name: str) -> int:
    connection.execute(
        "INSERT INTO series (run_id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", (run_id, name)
    )
    found = connection.execute(
        "SELECT id FROM series WHERE run_id = ? AND name = ?", (run_id, name)
    )
    return found.fetchone()[0]


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
