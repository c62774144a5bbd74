"""Metrics written and read beside other trackers: `python -m benchmarks.stores [--peer-python PYTHON]`.

What is measured, as rows a second:

- one series: batches of 100 values of one series, each batch a call;
- twenty series: the same, 5 steps of 20 series;
- reading: a series of 10,000 points, whole, as the store gives it.

Against whom: bare sqlite3 with a table that fits; MLflow's SQLite store, as it comes (a call waits for the disk) and
with the kitchen's durability (it does not; a power cut may take the last of it); trackio's, which has the kitchen's
durability. Both are asked in this process, without their servers. They are no dependencies:
`--peer-python` names an interpreter that has them,

    python -m venv peers && peers/bin/pip install mlflow==3.17.2 trackio==0.43.0

and without it they are left out. How they take turns and what the intervals mean is told in `benchmarks.race`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.contestants.jobs import MetricJob
from benchmarks.figures import Row, fields, figures
from benchmarks.race import race

OWN: dict[str, Sequence[str]] = {
    "kitchen": (sys.executable, "metrics_kitchen"),
    "sqlite3": (sys.executable, "metrics_raw"),
}
POINTS = 10_000
PARTS = {
    "one series": (MetricJob(series=1), 100),
    "twenty series": (MetricJob(series=20), 100),
    "reading": (MetricJob(points=POINTS), 3),
}
"""Each part's job, and how many batches or readings a turn has."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peer-python", help="an interpreter that has MLflow and trackio")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    commands = OWN | peers(given.peer_python)
    rows = []
    for part, (job, steps) in PARTS.items():
        turns = race(job, commands, rounds=given.rounds, steps=steps, warm_up=2)
        rows += figures(part, turns, "items")
    if given.json:
        print(json.dumps([fields(row) for row in rows]))
        return
    Console().print(table(rows))
    print(f"load average {os.getloadavg()[0]:.1f}")
    if not given.peer_python:
        print("MLflow and trackio are left out: --peer-python names an interpreter that has them.")


def peers(python: str | None) -> dict[str, Sequence[str]]:
    """The other trackers, where there is an interpreter for them."""
    if python is None:
        return {}
    return {
        "MLflow": (python, "metrics_mlflow"),
        "MLflow, WAL": (python, "metrics_mlflow", "WAL"),
        "trackio": (python, "metrics_trackio"),
    }


def table(rows: Sequence[Row]) -> Table:
    """The figures for a reader."""
    shown = Table("", "", "rows/s", "the kitchen over it", "by CPU time", box=box.SIMPLE)
    for row in rows:
        shown.add_row(
            row.part,
            row.contestant,
            f"{row.items_per_s:,.0f}",
            str(row.ratio or ""),
            str(row.cpu_ratio or ""),
        )
    return shown


if __name__ == "__main__":
    main()
