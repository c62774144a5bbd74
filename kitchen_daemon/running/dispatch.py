"""The queue at work: looks at it, has it decided, and does what was decided.

While a worker lives it alone changes its run's status; otherwise this does. Everything it needs to
know is in the store, so it can be killed at any moment and begun again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from kitchen_core.home import Home
from kitchen_core.store.records import AttemptRecord
from kitchen_core.store.store import Store
from kitchen_daemon.machine.driver import driver
from kitchen_daemon.machine.state import machine_state
from kitchen_daemon.machine.tenants import Tenant
from kitchen_daemon.models import WaitCode
from kitchen_daemon.process import ProcessIdentity, boot_id
from kitchen_daemon.queueing.decisions import Why
from kitchen_daemon.queueing.states import Machine, QueueState
from kitchen_daemon.running.asking import KILL_AFTER_S, Asking
from kitchen_daemon.running.crew import RETRY_SECONDS, AtWork, Crew, Present
from kitchen_daemon.running.fork_server import ForkServer
from kitchen_daemon.running.looking import Look, ReadMachine, ReadWindows, look, read_state
from kitchen_daemon.running.settling import settle
from kitchen_daemon.running.starting import Starting
from kitchen_daemon.running.waits import held_anew, not_held_any_more
from kitchen_daemon.running.workers import Worker
from kitchen_daemon.scheduling.hours import window_states
from kitchen_daemon.settings import DEFAULTS, Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_REST_S = 60.0
"""At a stretch: the wall clock may be set, the machine may sleep, a device may come back."""
LOOK_EVERY_S = 3.0
"""While something waits for what others may free at any time."""
ANSWER_WITHIN_S = 2.0
"""A request waits no longer for a look at the queue."""
WAITED_FOR = 1000
"""With more waiting runs than this, answers are by the last look, some tenths of a second old."""
A_COMMIT = 200
"""So many changes of status, for a commit holds up whoever else writes."""


class Dispatcher:
    """Runs what is queued, as the queue decides.

    settings: the home's. fork_server, read_machine, read_windows: where workers, the machine and the windows come
    from, if not from here.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        settings: Settings = DEFAULTS,
        *,
        fork_server: ForkServer | None = None,
        read_machine: ReadMachine | None = None,
        read_windows: ReadWindows | None = None,
    ) -> None:
        self._home = home
        self._store = store
        self._fork_server = fork_server or ForkServer(home)
        self._read_machine = read_machine or self._machine_by(settings)
        self._read_windows = read_windows or partial(window_states, store)
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "queue")
        self._crew = Crew(home, self._settle, self.wake)
        self._seen: Look | None = None
        self._wakes = self._wakes_seen = 0
        self._catching_up: list[tuple[int, asyncio.Future[None]]] = []
        self._starting = Starting(home, store, self._crew, self._fork_server, self.wake)
        self.asking = Asking(store, self._crew, self.wake)

    @property
    def standby_ready(self) -> bool:
        """Whether the next run would begin at once."""
        return self._fork_server.is_ready

    @property
    def running(self) -> list[str]:
        """The runs that have a worker."""
        return self._crew.run_ids

    @property
    def crew(self) -> Present:
        """Who works, and where."""
        return self._crew.present

    @property
    def seen(self) -> Look | None:
        """The queue as it was looked at last, and what was decided."""
        return self._seen

    @property
    def tenants(self) -> list[Tenant]:
        """The runs that have a worker, and where."""
        return [member.tenant for member in self._crew.present.at_work]

    def wake(self) -> None:
        """Look at the queue again."""
        self._wakes += 1
        self._wake.set()

    async def caught_up(self) -> None:
        """Return when the queue has been looked at since the last `wake`, or can't be for the moment. Where very many
        wait a look takes long: the last one will do.
        """
        if self._seen is not None and (
            self._wakes_seen >= self._wakes or len(self._seen.rows) > WAITED_FOR
        ):
            return
        looked = asyncio.get_running_loop().create_future()
        self._catching_up.append((self._wakes, looked))
        with suppress(TimeoutError):
            await asyncio.wait_for(looked, ANSWER_WITHIN_S)

    async def state(self) -> QueueState:
        """The queue and the machine as they are now."""
        sources = (self._store, self._crew.present, self._read_machine, self._read_windows)
        state, _ = await self._in_thread(partial(read_state, *sources))
        return state

    def why_of(self, run_id: str) -> Why | None:
        """Why a run waits, by the last look; None where it does not, or has not been looked at."""
        if self._crew.of(run_id) is not None:
            return None
        whys = {} if self._seen is None else self._seen.decision.whys
        return self._starting.whys.get(run_id) or whys.get(run_id)

    def adopt(self) -> None:
        """Take over the workers that an earlier daemon left: those that have a run, those that died unseen, whose
        runs are settled, and those that were replaced and have not ended.
        """
        for attempt in self._store.open_attempts():
            logger.info("adopting the worker of run %s (pid %d)", attempt.run_id, attempt.pid)
            self._crew.take_on(_member(attempt))
            self.asking.tell(attempt.run_id)  # it may have been asked, and not told
        for attempt in self._store.ended_unseen(boot_id()):
            member = _member(attempt)
            if member.worker.identity.is_alive():
                logger.info("ending pid %d, which had run %s", attempt.pid, attempt.run_id)
                self._crew.see_out(member, KILL_AFTER_S)

    async def serve(self) -> None:
        """Hand out runs until cancelled."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._turn()
                except Exception:  # the queue outlives whatever one turn met
                    logger.exception("the queue met an error; looking again in a moment")
                    self._later(RETRY_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._rest_s()):  # wait_for may lose a cancellation
                        await self._wake.wait()
        finally:
            self._thread.shutdown(cancel_futures=True)  # it reads the store, which is closed next
            self._fork_server.close()

    async def _turn(self) -> None:
        self._fork_server.start()
        seen = self._seen = await self._look()
        for aside in seen.decision.go_aside:
            if self._store.set_aside(aside.run_id, aside.why):
                self.asking.tell(aside.run_id)
        await self._starting.start_all(seen.decision.starts)
        await self._in_thread(partial(_settle_waits, self._store, seen))

    async def _look(self) -> Look:
        wakes, crew = self._wakes, self._crew.present
        seen = await self._in_thread(
            partial(look, self._store, crew, self._read_machine, self._read_windows)
        )
        self._wakes_seen = wakes
        waiting, self._catching_up = self._catching_up, []
        for wanted, looked in waiting:
            if wanted > wakes:
                self._catching_up.append((wanted, looked))
            elif not looked.done():
                looked.set_result(None)
        return seen

    def _settle(self, member: AtWork, exit_code: int | None) -> None:
        settle(self._home, self._store, member.run_id, member.attempt, exit_code)

    def _machine_by(self, settings: Settings) -> ReadMachine:
        def read(tenants: Sequence[Tenant]) -> Machine:
            return machine_state(driver(), settings, tenants, self._fork_server.pid)

        return read

    def _rest_s(self) -> float | None:
        """How long to leave the queue alone, unless somebody asks; None: for ever, for nothing waits."""
        seen = self._seen
        if seen is None or not (seen.decision.order or seen.decision.look_at):
            return None
        rests = [LONGEST_REST_S]
        if seen.decision.look_at is not None:
            rests.append(max(0.0, seen.decision.look_at - time.time()))
        if _waits_for_others(seen):
            rests.append(LOOK_EVERY_S)
        return min(rests)

    def _later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do what takes long elsewhere, one thing at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _member(attempt: AttemptRecord) -> AtWork:
    identity = ProcessIdentity(attempt.pid, attempt.pid_started_at, attempt.boot_id)
    worker, place = Worker(identity), attempt.placement
    return AtWork(attempt.run_id, attempt.number, worker, place, attempt.started_at)


def _waits_for_others(seen: Look) -> bool:
    """Whether programs that are not ours have what a run waits for: nobody tells when they let it go."""
    codes = {why.code for why in seen.decision.whys.values()}
    has_foreign = any(gpu.foreign for gpu in seen.state.machine.gpus)
    return WaitCode.MEMORY in codes or (has_foreign and WaitCode.DEVICE in codes)


def _settle_waits(store: Store, seen: Look) -> None:
    held, queued = list(held_anew(seen)), list(not_held_any_more(seen))
    for at in range(0, len(held), A_COMMIT):
        store.settle_waits(held[at : at + A_COMMIT], ())
    for at in range(0, len(queued), A_COMMIT):
        store.settle_waits((), queued[at : at + A_COMMIT])
