"""What runs when: the queue's own decision made again and again, on a clock that runs as fast as it can."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from kitchen_daemon.queueing.decisions import Why
from kitchen_daemon.queueing.imagining import Firing, ImaginedQueue, Stretch, WindowsAt
from kitchen_daemon.queueing.states import QueueState, Running, Waiting


@dataclass(slots=True)
class Foretold:
    """What becomes of a run. stretches: its times with a worker. why: what it waits for at the end, where it does."""

    run: Running | Waiting
    stretches: list[Stretch] = field(default_factory=list)
    why: Why | None = None


@dataclass(frozen=True, slots=True)
class Night:
    """What becomes of every run, in the order in which they begin. assumed: ids of those that nobody knows how
    long they take.
    """

    runs: tuple[Foretold, ...]
    assumed: tuple[str, ...]


def foretell(
    state: QueueState,
    windows_at: WindowsAt,
    firings: Iterable[Firing],
    until: float,
    assumed_s: float = 3600.0,
) -> Night:
    """What runs from `state.now` until then: runs take what they are quoted, stop at once when they are asked to, and
    complete; what others use of the machine stays as it is.

    firings: what schedules make. assumed_s: what a run is taken to last where nobody knows. Runs that are leaving at
    the beginning are taken to be gone.
    """
    firings = [firing for firing in firings if firing.at < until]
    queue = ImaginedQueue(state, windows_at, firings, assumed_s)
    while queue.now < until:
        following = queue.turn()
        if following is None:
            break
        queue.go_to(min(following, until))
    return _told(state, firings, queue)


def _told(state: QueueState, firings: Iterable[Firing], queue: ImaginedQueue) -> Night:
    running = (run for run in state.running if not run.leaving)
    runs = [*running, *state.waiting, *(firing.run for firing in firings)]
    by_id = {run.id: Foretold(run) for run in runs}
    for stretch in (*queue.stretches, *queue.going_on()):
        by_id[stretch.run_id].stretches.append(stretch)
    for run_id, why in queue.whys().items():
        by_id[run_id].why = why
    assumed = tuple(run.id for run in runs if run.id in queue.assumed)
    return Night(tuple(sorted(by_id.values(), key=_begins)), assumed)


def _begins(told: Foretold) -> float:
    return told.stretches[0].starts_at if told.stretches else math.inf
