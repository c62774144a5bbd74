"""A queue that is only imagined: runs take what they are quoted, stop at once when they are asked to, and complete.
What others use of the machine stays as it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from kitchen_core.needs import Needs, Placement
from kitchen_core.telemetry.schema import PausedFor, RunStatus
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.deciding import decide
from kitchen_daemon.queueing.decisions import Decision, Why
from kitchen_daemon.queueing.lining import Line
from kitchen_daemon.queueing.obstacles import Obstacles
from kitchen_daemon.queueing.states import QueueState, Running, Waiting, WindowState

Ending: TypeAlias = Literal["done", "window", "preempted"]
WindowsAt: TypeAlias = Callable[[float], Mapping[str, WindowState]]
"""Every window by name, at a time in seconds since the epoch."""

ENDINGS: Mapping[PausedFor, Ending] = {
    PausedFor.WINDOW: "window",
    PausedFor.PREEMPTION: "preempted",
}
_MOST_LOOKS = 100
"""At one moment: two or three do, and a plan must come to an end even if a queue did not come to rest."""
_OF_THE_CLOCK = (WaitCode.NOT_BEFORE, WaitCode.WINDOW_CLOSED)


class Firing(NamedTuple):
    """A schedule makes a run. at: seconds since the epoch."""

    at: float
    run: Waiting


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some time with a worker. ends_at None: it goes on. ends None: that, or nobody knows how long it takes."""

    run_id: str
    starts_at: float
    ends_at: float | None
    ends: Ending | None
    placement: Placement


@dataclass(frozen=True, slots=True)
class _Worker:
    """A run that has one. since: when it got it; it has `left_s` to go at `counted_at`."""

    run: Waiting
    placement: Placement
    since: float
    counted_at: float
    left_s: float

    @property
    def ends_at(self) -> float:
        return self.counted_at + self.left_s


class ImaginedQueue:
    """The queue from `state.now` on. Runs that are leaving then are taken to be gone.

    stretches: those that are over. assumed: ids of runs that got a worker and that nobody knows how long they take;
    they are taken to last `assumed_s`.
    """

    def __init__(
        self,
        state: QueueState,
        windows_at: WindowsAt,
        firings: Iterable[Firing],
        assumed_s: float,
    ) -> None:
        self.now = state.now
        self.stretches: list[Stretch] = []
        self.assumed: set[str] = set()
        self._begun_at = state.now
        self._state = state
        self._windows_at = windows_at
        self._firings = sorted(firings, key=lambda firing: (-firing.at, firing.run.id))
        self._assumed_s = assumed_s
        self._waiting = Line(state.machine, state.groups)
        self._workers: dict[str, _Worker] = {}
        self._children: dict[str, list[str]] = defaultdict(list)
        self._completed: set[str] = set()
        for run in state.waiting:
            self._wait(run)
        for run in state.running:
            if not run.leaving:
                self._work(_waiting_again(run), run.placement, run.started_at)
        self.go_to(self.now)

    def turn(self) -> float | None:
        """Do what the queue would do now. Returns when something happens next, None where nothing will."""
        decision = self._look()
        for _ in range(_MOST_LOOKS):
            if not decision.go_aside and not decision.starts:
                break
            for gone in decision.go_aside:
                self._go_aside(gone.run_id, ENDINGS[gone.why])
            for start in decision.starts:
                self._work(self._waiting.pop(start.run_id), start.placement, self.now)
            decision = self._look()
        moments = [worker.ends_at for worker in self._workers.values()]
        moments += [firing.at for firing in self._firings[-1:]]
        moments += [] if decision.look_at is None else [decision.look_at]
        return min(moments, default=None)

    def go_to(self, moment: float) -> None:
        """Let the time pass to the next moment. Runs that are done by then have completed, and firings fired."""
        self.now = moment
        for worker in [*self._workers.values()]:
            if worker.ends_at <= moment:
                self._complete(worker)
        while self._firings and self._firings[-1].at <= moment:
            self._wait(self._firings.pop().run)

    def going_on(self) -> list[Stretch]:
        """The stretches that are not over."""
        return [
            Stretch(worker.run.id, worker.since, None, None, worker.placement)
            for worker in self._workers.values()
        ]

    def whys(self) -> dict[str, Why]:
        """Why those wait that do, as one would say it at the beginning."""
        seen = self._seen(tuple(self._waiting.by_id.values()))
        at_the_beginning = Obstacles(replace(seen, now=self._begun_at))
        whys = dict(decide(seen).whys)
        for run_id, why in whys.items():
            if why.code in _OF_THE_CLOCK:
                whys[run_id] = at_the_beginning.first(self._as_it_waits(run_id)) or why
        return whys

    def _as_it_waits(self, run_id: str) -> Waiting:
        """A run without what is behind it."""
        run = self._waiting.by_id[run_id]
        has_come = run.not_before is not None and run.not_before <= self.now
        return replace(run, not_before=None) if has_come else run

    def _look(self) -> Decision:
        return decide(self._seen(self._waiting.front()))

    def _seen(self, waiting: tuple[Waiting, ...]) -> QueueState:
        return replace(
            self._state,
            now=self.now,
            waiting=waiting,
            running=tuple(map(self._running, self._workers.values())),
            windows=self._windows_at(self.now),
        )

    def _running(self, worker: _Worker) -> Running:
        run = worker.run
        return Running(
            id=run.id,
            name=run.name,
            placement=worker.placement,
            priority=run.priority,
            group=run.group,
            window=run.window,
            started_at=worker.since,
        )

    def _wait(self, run: Waiting) -> None:
        self._waiting.put(self._with_parents_now(run))
        for parent in run.parents:
            self._children[parent.id].append(run.id)

    def _work(self, run: Waiting, placement: Placement, since: float) -> None:
        if run.seconds is None:
            self.assumed.add(run.id)
        left_s = self._assumed_s if run.seconds is None else run.seconds
        self._workers[run.id] = _Worker(run, placement, since, self.now, left_s)

    def _go_aside(self, run_id: str, ends: Ending) -> None:
        worker = self._workers.pop(run_id)
        self._end(worker, self.now, ends)
        self._waiting.put(replace(worker.run, seconds=worker.ends_at - self.now))

    def _complete(self, worker: _Worker) -> None:
        run_id = worker.run.id
        self._completed.add(run_id)
        self._end(self._workers.pop(run_id), worker.ends_at, self._as_quoted(run_id))
        for child in self._children.pop(run_id, ()):
            self._waiting.put(self._with_parents_now(self._waiting.by_id[child]))

    def _as_quoted(self, run_id: str) -> Ending | None:
        return None if run_id in self.assumed else "done"

    def _with_parents_now(self, run: Waiting) -> Waiting:
        parents = tuple(
            parent._replace(status=RunStatus.COMPLETED) if parent.id in self._completed else parent
            for parent in run.parents
        )
        return replace(run, parents=parents)

    def _end(self, worker: _Worker, at: float, ends: Ending | None) -> None:
        self.stretches.append(Stretch(worker.run.id, worker.since, at, ends, worker.placement))


def _waiting_again(run: Running) -> Waiting:
    """A run as it is when it has lost its worker."""
    place = run.placement
    needs = Needs(
        device="cuda" if place.gpus else "cpu",
        gpus=max(len(place.gpus), 1),
        threads=max(place.slots, 1),
        memory_bytes=place.memory_bytes,
        shares=place.shares,
    )
    return Waiting(
        id=run.id,
        name=run.name,
        needs=needs,
        priority=run.priority,
        rank=run.rank,
        group=run.group,
        window=run.window,
        preempts=run.preempts,
        seconds=run.seconds,
    )
