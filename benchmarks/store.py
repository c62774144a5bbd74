"""The run store's speed, beside raw sqlite3 in the same run: `python -m benchmarks.store [--json]`.

Metrics are written by batches of 100 rows through `write_metrics`, with its fence and its unique steps, against bare
inserts into a table without any index: 100 steps of one series, and 5 steps of 20 series, where each series
has a page of its own to write. Rates are the best of several rounds, taken in turns so that a busy moment
of the machine hits both sides.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from kitchen_core.store import NewRun, Store
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import EventKind, NewEvent

ROWS_A_BATCH = 100
BATCHES = 500
POINTS = 10_000
EVENTS = 2_000
DURABLE_EVENTS = 100
ROUNDS = 7


class Figure(NamedTuple):
    """One measurement. value is in `unit`; raw is the same through bare sqlite3, where there is such a thing."""

    name: str
    value: float
    unit: str
    raw: float | None = None

    @property
    def ratio(self) -> float | None:
        """The store's figure over raw sqlite3's."""
        return None if self.raw is None else self.value / self.raw


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "home") as store:
        figures = measure(store, Path(folder) / "raw.db")
    if asked.json:
        print(json.dumps([figure._asdict() | {"ratio": figure.ratio} for figure in figures]))
    else:
        Console().print(table(figures))


def measure(store: Store, raw_path: Path) -> list[Figure]:
    """Every figure, on a new store and a new file for raw sqlite3."""
    run_id = store.create_run(NewRun(name="bench", recipe="bench", workflow="bench")).id
    attempt = store.begin_attempt(run_id, pid=1, pid_started_at=0.0, boot_id="", log_path="")
    raw = _raw(raw_path)
    return [
        _metric_rate(store, raw, run_id, attempt, series=1),
        _metric_rate(store, raw, run_id, attempt, series=20),
        _read_time(store, raw, run_id, attempt),
        _event_rate(store, run_id, attempt, EVENTS, durable=False),
        _event_rate(store, run_id, attempt, DURABLE_EVENTS, durable=True),
        _open_time(store.home),
    ]


def table(figures: list[Figure]) -> Table:
    """The figures for a reader."""
    shown = Table("", "store", "raw sqlite3", "ratio", title="Run store")
    for figure in figures:
        shown.add_row(
            figure.name,
            f"{_short(figure.value)} {figure.unit}",
            _short(figure.raw),
            _short(figure.ratio),
        )
    return shown


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _metric_rate(
    store: Store, raw: sqlite3.Connection, run_id: str, attempt: int, series: int
) -> Figure:
    def write(batches: list[list[MetricRow]]) -> None:
        for rows in batches:
            store.write_metrics(run_id, rows, attempt)

    def write_raw(batches: list[list[MetricRow]]) -> None:
        for rows in batches:
            raw.execute("BEGIN")
            raw.executemany("INSERT INTO metric VALUES (?, ?, ?)", rows)
            raw.execute("COMMIT")

    rounds = [_batches(series, turn) for turn in range(ROUNDS)]
    seconds = [(_seconds(partial(write, r)), _seconds(partial(write_raw, r))) for r in rounds]
    ours, bare = (BATCHES * ROWS_A_BATCH / min(taken) for taken in zip(*seconds, strict=True))
    return Figure(f"metrics written, {series} series", ours, "rows/s", bare)


def _read_time(store: Store, raw: sqlite3.Connection, run_id: str, attempt: int) -> Figure:
    rows = [MetricRow("long", step, step / 7) for step in range(1, POINTS + 1)]
    store.write_metrics(run_id, rows, attempt)
    raw.execute("CREATE TABLE series (step INTEGER PRIMARY KEY, value REAL)")
    raw.executemany("INSERT INTO series VALUES (?, ?)", [row[1:] for row in rows])
    query = "SELECT step, value FROM series ORDER BY step"
    ours = min(_seconds(lambda: store.series(run_id, ["long"])) for _ in range(ROUNDS))
    bare = min(_seconds(lambda: raw.execute(query).fetchall()) for _ in range(ROUNDS))
    return Figure(f"series of {POINTS:,} points read", ours * 1e3, "ms", bare * 1e3)


def _event_rate(store: Store, run_id: str, attempt: int, count: int, *, durable: bool) -> Figure:
    event = NewEvent(kind=EventKind.LOG, at=time.time(), metadata={"message": "hello"})
    taken = _seconds(
        lambda: [store.append_events(run_id, [event], attempt, durable) for _ in range(count)]
    )
    kind = "durable events" if durable else "events"
    return Figure(f"{kind} appended, one a commit", count / taken, "events/s")


def _open_time(home: Path) -> Figure:
    taken = min(_seconds(lambda: Store.open(home).close()) for _ in range(ROUNDS))
    return Figure("up-to-date store opened", taken * 1e3, "ms")


def _batches(series: int, turn: int) -> list[list[MetricRow]]:
    names = [f"of_{series}/metric_{index}" for index in range(series)]
    ahead = ROWS_A_BATCH // series
    first = 1 + turn * BATCHES * ahead
    return [
        [MetricRow(name, step, 0.5) for step in range(start, start + ahead) for name in names]
        for start in range(first, first + BATCHES * ahead, ahead)
    ]


def _raw(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE metric (name, step, value)")
    return connection


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
