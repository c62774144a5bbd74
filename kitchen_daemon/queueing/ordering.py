"""The order of the line."""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_daemon.queueing.states import Waiting


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """The highest priority first, then the lowest rank; the id decides between equals."""
    return sorted(waiting, key=place)


def place(run: Waiting) -> tuple[int, float, str]:
    """A run's place in the order, to be compared."""
    return (-run.priority, run.rank, run.id)
