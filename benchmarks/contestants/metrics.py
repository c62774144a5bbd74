"""How every store of metrics is asked to write and to read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from benchmarks.contestants import Turns
from benchmarks.contestants.jobs import MetricJob

VALUE = 0.5


class Keeper(Protocol):
    """A store of one run's metrics."""

    def write(self, names: Sequence[str], steps: range) -> None:
        """Keep VALUE for each of these series at each of these steps, in one call."""
        ...

    def read(self, name: str) -> int:
        """Read a series whole, as the store gives it; returns how many points there were."""
        ...


def compete(job: MetricJob, keeper: Keeper) -> None:
    """Write batches, or read a series, for as long as it is asked for."""
    batches = job.batches()
    if not job.points:
        turns = Turns()
        for names, steps in batches:
            keeper.write(names, steps)
            turns.stepped(0, items=job.rows_a_batch)
    for names, steps in islice(batches, job.points // job.rows_a_batch):
        keeper.write(names, steps)
    turns = Turns()
    while True:
        found = keeper.read("train/metric_0")
        assert found == job.points, f"{found} points of {job.points}"
        turns.stepped(0, items=found)
