"""How long a user waits: from submitting a run to its first optimizer step.

python -m benchmarks.latency [--runs 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kitchen_core.home import Home
from kitchen_daemon.client import Client, Unreachable
from kitchen_daemon.models import Launch

WAIT_SECONDS = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = _measured(Home(Path(folder)), given.runs)
    if given.json:
        print(json.dumps(figures))
        return
    table = Table("from submitting", "median", "fastest", "slowest")
    for name, seconds in figures.items():
        spread = (statistics.median(seconds), min(seconds), max(seconds))
        table.add_row(name, *(f"{value * 1000:.0f} ms" for value in spread))
    Console().print(table)


def _measured(home: Home, runs: int) -> dict[str, list[float]]:
    daemon = subprocess.Popen(
        [sys.executable, "-m", "kitchen_daemon.main", "--home", str(home.root)],
        stderr=subprocess.DEVNULL,
    )
    figures: dict[str, list[float]] = {"to queued": [], "to running": [], "to the first step": []}
    try:
        client = Client(home)
        for _ in range(runs):
            _await_standby(client)
            for name, seconds in _one_run(client).items():
                figures[name].append(seconds)
    finally:
        daemon.terminate()
        daemon.wait()
    return figures


def _one_run(client: Client) -> dict[str, float]:
    """Seconds until the first metric of the first step is in the store, measured as the bare recipe runs."""
    submitted = time.time()
    run = client.launch(Launch(recipe="sl_basic", overrides={"max_steps": 2}))
    seconds = {"to queued": time.time() - submitted}
    for item in client.stream(run.id):
        if item.event and item.event.kind == "run.running":
            seconds["to running"] = item.event.at - submitted
        if item.event and item.event.stage == "LogMetrics" and item.event.kind == "stage.completed":
            seconds["to the first step"] = item.event.at - submitted
        if item.event and item.event.kind == "run.completed":
            return seconds
    raise RuntimeError("the stream ended before the run")


def _await_standby(client: Client) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.status().standby_ready:
                return
        except Unreachable:
            pass
        time.sleep(0.1)
    raise TimeoutError("no worker became ready")


if __name__ == "__main__":
    main()
