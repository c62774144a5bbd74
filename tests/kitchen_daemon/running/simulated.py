"""Workers that only write what real ones would, on an event loop whose clock jumps: a night in a second."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kitchen_core.home import Home
from kitchen_core.store import NewRun, RunRecord, RunWriter, Store
from kitchen_core.telemetry.ports import StaleAttempt
from kitchen_core.telemetry.schema import Intent, RunStatus
from kitchen_daemon.machine.tenants import Tenant
from kitchen_daemon.process import ProcessIdentity
from kitchen_daemon.queueing.states import Machine, WindowState
from kitchen_daemon.running.dispatch import Dispatcher
from kitchen_daemon.running.fork_server import ForkServer, WaitingWorker
from kitchen_daemon.running.lease import Lease
from kitchen_daemon.running.workers import Worker
from tests.clock import Clock, on_fake_clock
from tests.kitchen_core.store.support import fresh_store

EVENING = 1_795_550_400.0
"""When a simulation begins, in seconds since the epoch."""
FIRST_PID = 2**23  # no process has such a pid, so nobody is hit by a signal
SIGKILLED = -9
STEPS_A_SECOND = 100
STATUSES = {f"run.{status}" for status in RunStatus}


@dataclass
class SimulatedWorker(Worker):
    """A worker that is done when its time is up, or stops when it is asked to. hangs: it does neither."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 0
    hangs: bool = False
    task: asyncio.Task[None] | None = None

    async def wait(self) -> int | None:
        await self.gone.wait()
        return self.code

    def ask_to_stop(self) -> None:
        self.asked.set()

    def kill(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self.end(SIGKILLED)

    def end(self, code: int = 0) -> None:
        if not self.gone.is_set():
            self.code = code
            self.gone.set()


class Forked(WaitingWorker):
    """A simulated worker that waits for its run."""

    def __init__(self, server: SimulatedForkServer, worker: SimulatedWorker) -> None:
        super().__init__(worker, socket.socket())
        object.__setattr__(self, "_server", server)

    def lease(self, lease: Lease) -> None:
        self._server.begin(lease, self.worker)  # type: ignore[attr-defined]


class SimulatedForkServer(ForkServer):
    """Makes them. seconds: what a run takes in all, by name. What it has done of that is kept between attempts."""

    def __init__(self, store: Store, seconds: Callable[[str], float]) -> None:
        self.workers: dict[str, SimulatedWorker] = {}
        self.leases: list[Lease] = []
        self.broken: OSError | None = None
        self.hanging: set[str] = set()
        self._store = store
        self._seconds = seconds
        self._done: dict[str, float] = {}

    @property
    def is_ready(self) -> bool:
        return True

    @property
    def pid(self) -> int | None:
        return None

    def start(self) -> Any:
        """There is nothing to start."""

    def close(self) -> None:
        for worker in self.workers.values():
            if worker.task is not None:
                worker.task.cancel()

    async def fork(self) -> WaitingWorker:
        if self.broken:
            raise self.broken
        pid = FIRST_PID + len(self.leases)
        return Forked(self, SimulatedWorker(ProcessIdentity(pid, 0.0, "simulated")))

    def begin(self, lease: Lease, worker: Worker) -> None:
        assert isinstance(worker, SimulatedWorker)
        worker.hangs = lease.run_id in self.hanging
        self.leases.append(lease)
        self.workers[lease.run_id] = worker
        worker.task = asyncio.ensure_future(self._work(lease, worker))

    async def _work(self, lease: Lease, worker: SimulatedWorker) -> None:
        writer = RunWriter(self._store, lease.run_id, lease.attempt)
        run = self._store.get_run(lease.run_id)
        with suppress(StaleAttempt):
            writer.set_status(RunStatus.RUNNING)
            if worker.hangs:
                await asyncio.Event().wait()
            began = time.time()
            left = self._seconds(run.name) - self._done.get(run.id, 0.0)
            try:
                await asyncio.wait_for(worker.asked.wait(), left)
            except TimeoutError:
                writer.set_status(RunStatus.COMPLETED)
            else:
                done = self._done[run.id] = self._done.get(run.id, 0.0) + time.time() - began
                writer.set_progress(*steps(done, self._seconds(run.name)), None)
                _stop(writer)
        worker.end()


def steps(done_s: float, total_s: float) -> tuple[int, int]:
    """How far a run is that takes so many seconds in all."""
    return round(done_s * STEPS_A_SECOND), round(total_s * STEPS_A_SECOND)


def _stop(writer: RunWriter) -> None:
    match writer.intent():
        case Intent.PAUSE:
            writer.set_status(RunStatus.PAUSED)
        case Intent.CANCEL:
            writer.set_status(RunStatus.CANCELLED)
        case None:
            writer.set_status(RunStatus.INTERRUPTED)


@dataclass
class Kitchen:
    """A dispatcher at work on simulated workers. machine: `foreign`, the RAM that others use."""

    store: Store
    dispatcher: Dispatcher
    workers: SimulatedForkServer
    clock: Clock
    windows: dict[str, Callable[[float], WindowState]]
    machine: dict[str, int]

    def submit(self, name: str, **asked: Any) -> RunRecord:
        """Queue a run."""
        new = NewRun(name=name, recipe="r", workflow="w", **asked)
        run = self.store.create_run(new)
        self.dispatcher.wake()
        return run

    def run(self, name: str) -> RunRecord:
        """The run of that name as it stands."""
        return self.store.find_run(name)

    async def until(self, holds: Callable[[], bool], within_s: float = 7 * 86400.0) -> None:
        """Wait until something holds, looking every second of the simulation."""
        deadline = time.time() + within_s
        while not holds():
            assert time.time() < deadline, self.history()
            await asyncio.sleep(1.0)

    async def until_over(self) -> None:
        """Wait until every run has ended."""
        await self.until(lambda: all(run.status.is_final for run in self.store.list_runs()))

    def history(self) -> list[tuple[str, str, float]]:
        """Every change of status: of which run, to what, and when in seconds of the simulation."""
        names = {run.id: run.name for run in self.store.list_runs()}
        return [
            (names[event.run_id], event.kind.removeprefix("run."), event.at - EVENING)
            for event in self.store.read_events()
            if event.run_id and event.kind in STATUSES
        ]

    def stretches(self, name: str) -> list[tuple[float, float]]:
        """When a run had a worker, from and to, in whole seconds of the simulation."""
        found: list[tuple[float, float]] = []
        for attempt in self.store.attempts(self.run(name).id):
            ended = attempt.ended_at or time.time()
            found.append((round(attempt.started_at - EVENING), round(ended - EVENING)))
        return found


def simulate(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Kitchen], Awaitable[None]],
    *,
    slots: int = 1,
    seconds: Callable[[str], float] = lambda name: 100.0,
) -> None:
    """Let a story happen to a kitchen with so many CPU slots."""

    def read_machine(tenants: Sequence[Tenant]) -> Machine:
        return Machine(slots=slots, ram_bytes=2**34, ram_foreign_bytes=machine.get("foreign", 0))

    machine: dict[str, int] = {}

    async def main(clock: Clock) -> None:
        monkeypatch.setattr(time, "time", lambda: EVENING + clock.time)
        with fresh_store(home) as store:
            workers = SimulatedForkServer(store, seconds)
            windows: dict[str, Callable[[float], WindowState]] = {}
            dispatcher = Dispatcher(
                Home(home),
                store,
                fork_server=workers,
                read_machine=read_machine,
                read_windows=lambda now: {name: at(now) for name, at in windows.items()},
            )
            serving = asyncio.ensure_future(dispatcher.serve())
            try:
                await story(Kitchen(store, dispatcher, workers, clock, windows, machine))
            finally:
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving

    on_fake_clock(main)
