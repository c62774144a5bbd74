"""The order of the line."""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_daemon.queueing.states import Waiting


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """The highest priority first, then the lowest rank; the id decides between equals."""
    return sorted(waiting, key=_place)


def _place(run: Waiting) -> tuple[int, float, str]:
    return (-run.priority, run.rank, run.id)
