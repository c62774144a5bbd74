"""Random histories of a queue: runs come, are held, end and die, windows open and close, other programs come and go.

Only what a dispatcher would do is done: starts get their places, and who is asked to go aside goes a while later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from kitchen_core.needs import Needs
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.queueing.decisions import Decision
from kitchen_daemon.queueing.states import (
    Gpu,
    GroupState,
    Machine,
    Parent,
    QueueState,
    Running,
    Waiting,
    WindowState,
)
from tests.kitchen_daemon.queueing.queues import GB, cpu, gpu

GROUPS = ("main", "main", "sweep")
WINDOWS = (None, None, None, "night", "gone")
CPU_NEEDS = tuple(cpu(threads, gb) for threads in (1, 1, 2, 4, 20) for gb in (None, 1, 4, 13))
GPU_NEEDS = (
    *(gpu(gb, gpus=gpus) for gb in (None, 8, 20, 60) for gpus in (1, 1, 2)),
    *(gpu(gb, shares=True) for gb in (2, 2, 5, 11, None)),
    gpu(5, gpus=2, shares=True),
)


class History:
    """A queue and what happens to it. A hundred seconds pass from one event to the next.

    is_busy: runs come and end, more than there is room for, and nothing else happens. is_disturbed: since the last
    decision something else happened.
    """

    def __init__(self, random: Random, *, is_busy: bool = False) -> None:
        self.random = random
        self.now = 1_000_000.0
        self.waiting: dict[str, Waiting] = {}
        self.running: dict[str, Running] = {}
        self.machine = _a_machine(random)
        self.groups = {"sweep": GroupState(random.choice((None, 1, 2)))}
        self.night_is_open = random.random() < 0.5
        self.is_disturbed = False
        self._submitted = 0
        self._needs: dict[str, Waiting] = {}
        self._ended: dict[str, RunStatus] = {}
        come_and_end = [self.submit, self.end_one]
        self._events = come_and_end if is_busy else [*come_and_end * 5, *self._disturbances()]
        for _ in range(random.randrange(1, 6)):
            self.submit()

    @property
    def state(self) -> QueueState:
        night = WindowState(self.night_is_open, self.now + 1000.0)
        return QueueState(
            now=self.now,
            waiting=tuple(self.waiting.values()),
            running=tuple(self.running.values()),
            machine=self.machine,
            windows={"night": night},
            groups=self.groups,
        )

    def go_on(self) -> None:
        """Let something happen, and sometimes more at once."""
        self.now += 100.0
        self.random.choice(self._events)()
        while self.random.random() < 0.4:
            self.random.choice(self._events)()

    def apply(self, decision: Decision) -> None:
        """Do what was decided."""
        for start in decision.starts:
            run = self.waiting.pop(start.run_id)
            self._needs[run.id] = run
            self.running[run.id] = Running(
                run.id,
                run.name,
                start.placement,
                priority=run.priority,
                group=run.group,
                window=run.window,
                started_at=self.now,
            )
        for gone in decision.go_aside:
            self.running[gone.run_id] = replace(self.running[gone.run_id], leaving=True)

    def submit(self) -> None:
        pick, chance = self.random.choice, self.random.random
        self._submitted += 1
        run = Waiting(
            id=f"{self._submitted:03}",
            name=f"run {self._submitted}",
            needs=pick(GPU_NEEDS if self.machine.gpus and chance() < 0.6 else CPU_NEEDS),
            priority=pick((-1, 0, 0, 1)),
            rank=pick((0.0, self.now, -self.now)),
            group=pick(GROUPS),
            is_held=chance() < 0.1,
            parents=self._some_parents(),
            not_before=self.now + 250.0 if chance() < 0.1 else None,
            window=pick(WINDOWS),
            preempts=chance() < 0.3,
        )
        self.waiting[run.id] = run

    def end_one(self, status: RunStatus | None = None) -> None:
        """A worker ends. Its run goes back to the line where it was to go aside or has died."""
        if not self.running:
            return
        run = self.running.pop(self.random.choice([*self.running]))
        chosen = status or self.random.choice((RunStatus.COMPLETED, RunStatus.FAILED, None))
        if run.leaving or chosen is None:
            self.waiting[run.id] = self._needs[run.id]
        else:
            self._settle(run.id, chosen)

    def lift(self) -> None:
        """Take every obstacle away that is not the machine itself, and let nothing more come."""
        self.now += 10_000.0
        self.is_disturbed = True
        self.night_is_open = True
        self.groups = {}
        gpus = tuple(replace(gpu, foreign=()) for gpu in self.machine.gpus)
        self.machine = replace(self.machine, ram_foreign_bytes=0, gpus=gpus)
        for run in self.waiting.values():
            window = None if run.window == "gone" else run.window
            parents = tuple(parent._replace(must_complete=False) for parent in run.parents)
            self.waiting[run.id] = replace(run, is_held=False, window=window, parents=parents)

    def _disturbances(self) -> list[Callable[[], None]]:
        return [
            self._hold_or_release,
            self._reprioritize,
            self._cancel,
            self._turn_window,
            self._change_group,
            self._change_others,
        ]

    def _some_parents(self) -> tuple[Parent, ...]:
        known = [*self.waiting, *self.running, *self._ended]
        if not known or self.random.random() > 0.2:
            return ()
        parent = self.random.choice(known)
        status = self._ended.get(parent)
        if status is None:
            status = RunStatus.RUNNING if parent in self.running else RunStatus.QUEUED
        return (Parent(parent, f"parent {parent}", status, self.random.random() < 0.7),)

    def _settle(self, run_id: str, status: RunStatus) -> None:
        self._ended[run_id] = status
        for child in self.waiting.values():
            if any(parent.id == run_id for parent in child.parents):
                told = tuple(
                    parent._replace(status=status) if parent.id == run_id else parent
                    for parent in child.parents
                )
                self.waiting[child.id] = replace(child, parents=told)

    def _hold_or_release(self) -> None:
        if self.waiting:
            self.is_disturbed = True
            run = self.waiting[self.random.choice([*self.waiting])]
            self.waiting[run.id] = replace(run, is_held=not run.is_held)

    def _reprioritize(self) -> None:
        if self.waiting:
            self.is_disturbed = True
            run = self.waiting[self.random.choice([*self.waiting])]
            self.waiting[run.id] = replace(run, priority=self.random.choice((-1, 0, 1, 2)))

    def _cancel(self) -> None:
        if self.waiting:
            run_id = self.random.choice([*self.waiting])
            del self.waiting[run_id]
            self._settle(run_id, RunStatus.CANCELLED)

    def _turn_window(self) -> None:
        self.is_disturbed = True
        self.night_is_open = not self.night_is_open

    def _change_group(self) -> None:
        self.is_disturbed = True
        name, pick = self.random.choice(("sweep", "*")), self.random.choice
        self.groups = {**self.groups, name: GroupState(pick((None, 1, 2, 3)), pick((False, True)))}

    def _change_others(self) -> None:
        """Other programs come and go."""
        self.is_disturbed = True
        pick = self.random.choice
        gpus = tuple(
            replace(gpu, foreign=pick(((), ((7, GB // 2),), ((7, 9 * GB), (0, 4 * GB)))))
            for gpu in self.machine.gpus
        )
        self.machine = replace(self.machine, ram_foreign_bytes=pick((0, 5, 12)) * GB, gpus=gpus)


def needs_of(history: History, run_id: str) -> Needs:
    """What a run needs that has a worker."""
    return history._needs[run_id].needs


def _a_machine(random: Random) -> Machine:
    sizes = [random.choice((12, 24, 24, 80)) for _ in range(random.choice((0, 1, 2, 3, 4)))]
    gpus = tuple(Gpu(f"GPU-{n}", n, "some GPU", size * GB) for n, size in enumerate(sizes))
    return Machine(random.choice((1, 4, 8, 16)), 16 * GB, random.choice((0, 3)) * GB, gpus)
