"""Who goes aside for a run that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations, islice

from kitchen_core.store.records import EVERY_GROUP
from kitchen_daemon.queueing.serving import Serving
from kitchen_daemon.queueing.states import QueueState, Running, Waiting

MOST_TRIES = 200
"""So many sets of runs are tried for the smallest one; after that a sufficient one has to do."""


def who_goes_aside(
    state: QueueState, leaving: Collection[str], before: Sequence[Waiting], run: Waiting
) -> list[Running]:
    """The fewest runs of lower priority whose places, with those that are leaving already, are enough for a run: of
    equally many those of the lowest priority, and of those the youngest. None where they would not do.

    before: the runs before it in the line that take or keep something. They are served first.
    """

    def is_enough(gone: Collection[Running]) -> bool:
        serving = Serving(state, {*leaving, *(other.id for other in gone)})
        for earlier in before:
            serving.serve(earlier)
        return serving.has_place_ahead(run)

    lower = _lower(state, leaving, run)
    if not lower or not is_enough(lower):
        return []
    for gone in islice(_sets(lower), MOST_TRIES):
        if is_enough(gone):
            return list(gone)
    return _without_spare(lower, is_enough)


def _lower(state: QueueState, leaving: Collection[str], run: Waiting) -> list[Running]:
    """Who may have to go: the lowest priority first, and the youngest of those."""
    lower = [
        other
        for other in state.running
        if other.priority < run.priority
        and other.id not in leaving
        and _may_help(state, other, run)
    ]
    return sorted(lower, key=lambda other: (other.priority, -other.started_at, other.id))


def _may_help(state: QueueState, other: Running, run: Waiting) -> bool:
    is_on_gpu = bool(other.placement.gpus)
    if is_on_gpu == (run.needs.device == "cuda"):
        return True
    return any(
        name in state.groups and state.groups[name].most_running is not None
        for name in ({other.group} & {run.group}) | {EVERY_GROUP}
    )


def _sets(runs: Sequence[Running]) -> Iterator[tuple[Running, ...]]:
    for size in range(1, len(runs)):
        yield from combinations(runs, size)


def _without_spare(
    runs: list[Running], is_enough: Callable[[Collection[Running]], bool]
) -> list[Running]:
    """Leave out whoever can stay, the highest priority first."""
    gone = list(runs)
    for run in reversed(runs):
        fewer = [other for other in gone if other is not run]
        if is_enough(fewer):
            gone = fewer
    return gone
