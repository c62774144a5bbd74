"""The workers that have a run, each watched until it is gone and its run is settled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import NamedTuple

from kitchen_core.home import Home
from kitchen_core.needs import Placement
from kitchen_core.store.errors import StoreFull
from kitchen_daemon.machine.tenants import Tenant
from kitchen_daemon.reserve import release_reserve
from kitchen_daemon.running.workers import Worker

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0


@dataclass(frozen=True, eq=False)
class AtWork:
    """A worker with its run, and where it has its place. since: seconds since the epoch."""

    run_id: str
    attempt: int
    worker: Worker
    placement: Placement
    since: float

    @property
    def tenant(self) -> Tenant:
        """As the machine is told of it."""
        return Tenant(self.run_id, self.worker.identity.pid, self.placement)


class Present(NamedTuple):
    """All that take a place. replaced: they have no run any more, and are not gone yet."""

    at_work: list[AtWork]
    replaced: list[AtWork]


Settle = Callable[[AtWork, int | None], None]
"""Says what became of a run whose worker has ended, by its exit code."""


class Crew:
    """Who works. on_change: told when a place has become free."""

    def __init__(self, home: Home, settle: Settle, on_change: Callable[[], None]) -> None:
        self._home = home
        self._settle = settle
        self._on_change = on_change
        self._by_run: dict[str, AtWork] = {}
        self._replaced: list[AtWork] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, run_id: str) -> AtWork | None:
        """The worker that has this run."""
        return self._by_run.get(run_id)

    @property
    def run_ids(self) -> list[str]:
        """The runs that have a worker."""
        return list(self._by_run)

    @property
    def present(self) -> Present:
        """All that take a place now."""
        return Present(list(self._by_run.values()), list(self._replaced))

    def take_on(self, member: AtWork) -> None:
        """Watch a worker until it is gone, then settle its run."""
        self._by_run[member.run_id] = member
        self._spawn(self._settle_when_gone(member))

    def stop(self, member: AtWork, grace_s: float) -> None:
        """Ask a worker to stop, and kill it where it has not within the grace."""
        member.worker.ask_to_stop()
        self._spawn(_kill_later(member.worker, grace_s))

    def see_out(self, member: AtWork, grace_s: float) -> None:
        """End a worker that has no run any more. It keeps its place until it is gone."""
        self._replaced.append(member)
        self._spawn(self._settle_when_gone(member))
        self.stop(member, grace_s)

    def dismiss(self, member: AtWork, grace_s: float) -> None:
        """Take the run from a worker, which is asked to stop. It keeps its place until it is gone."""
        del self._by_run[member.run_id]
        self._replaced.append(member)
        self.stop(member, grace_s)

    async def see_off(self, member: AtWork, grace_s: float) -> None:
        """Return when a worker that has only to exit is gone and its run is settled."""
        self._spawn(_kill_later(member.worker, grace_s))
        await self._settle_when_gone(member)

    async def _settle_when_gone(self, member: AtWork) -> None:
        exit_code = await member.worker.wait()
        while self._by_run.get(member.run_id) is member:  # else it is settled already
            try:
                self._settle(member, exit_code)
                del self._by_run[member.run_id]
            except Exception as error:  # the run must not stay with a worker that is gone
                if isinstance(error, StoreFull):
                    release_reserve(self._home)
                logger.exception("run %s could not be settled; trying again", member.run_id)
                await asyncio.sleep(RETRY_SECONDS)
        if member in self._replaced:
            self._replaced.remove(member)
        self._on_change()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _kill_later(worker: Worker, grace_s: float) -> None:
    try:
        await asyncio.wait_for(worker.wait(), grace_s)
    except TimeoutError:
        worker.kill()
