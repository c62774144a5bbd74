"""Giving runs to workers as was decided. Each is looked at once more: somebody may have asked something since."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from kitchen_core.home import Home
from kitchen_core.store.errors import StoreBusy, StoreError
from kitchen_core.store.records import EVERY_GROUP, RunRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import WaitCode
from kitchen_daemon.queueing.decisions import Start, Why
from kitchen_daemon.reserve import keep_reserve
from kitchen_daemon.running.crew import RETRY_SECONDS, AtWork, Crew
from kitchen_daemon.running.fork_server import ForkServer, WaitingWorker
from kitchen_daemon.running.lease import Lease

logger = logging.getLogger(__name__)


class Starting:
    """Starts runs. wake: has the queue looked at. whys: why those that were to start last did not."""

    def __init__(
        self,
        home: Home,
        store: Store,
        crew: Crew,
        fork_server: ForkServer,
        wake: Callable[[], None],
    ) -> None:
        self.whys: dict[str, Why] = {}
        self._home = home
        self._store = store
        self._crew = crew
        self._fork_server = fork_server
        self._wake = wake
        self._making_ready: asyncio.Task[None] | None = None
        self._has_failed = False

    async def start_all(self, starts: Sequence[Start]) -> None:
        """Give each of these runs a worker. What could not be started is tried again."""
        self.whys = {}
        for start in starts:
            if not self._fork_server.is_ready:
                self._wait_for_workers(start)
                continue
            try:
                with await self._fork_server.fork() as waiting:
                    self._lease(start, waiting)
            except (OSError, StoreError) as error:
                logger.error("run %s could not be given to a worker: %s", start.run_id, error)
                reason = f"no worker could be made for it: {error}; trying again"
                self.whys[start.run_id] = Why(WaitCode.STARTING, reason)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._wake)
                if isinstance(error, StoreBusy):  # so it is for the others, and requests wait too
                    break

    def _wait_for_workers(self, start: Start) -> None:
        reason = "workers are being made ready"
        if self._has_failed:
            reason = f"no workers can be made; {self._home.daemon_log} says why; trying again"
        self.whys[start.run_id] = Why(WaitCode.STARTING, reason)
        if self._making_ready is None or self._making_ready.done():
            self._making_ready = asyncio.ensure_future(self._wake_when_ready())

    async def _wake_when_ready(self) -> None:
        await self._fork_server.until_ready()
        self._has_failed = not self._fork_server.is_ready
        if self._has_failed:
            await asyncio.sleep(RETRY_SECONDS)
        self._wake()

    def _lease(self, start: Start, waiting: WaitingWorker) -> None:
        keep_reserve(self._home)
        run = self._store.get_run(start.run_id)
        if not self._may_start(run):
            self._wake()
            return
        if run.status is not RunStatus.QUEUED:
            self._store.transition(run.id, RunStatus.QUEUED, reason="goes on")
            self._wake()  # those that come after it were told that it is paused
        identity, place = waiting.worker.identity, start.placement
        log = self._home.attempt_log(run.id, run.attempt + 1)
        log.parent.mkdir(parents=True, exist_ok=True)
        number = self._store.begin_attempt(
            run.id, identity.pid, identity.started_at, identity.boot_id, log, place
        )
        self._crew.take_on(AtWork(run.id, number, waiting.worker, place, time.time()))
        waiting.lease(
            Lease(
                home=self._home.root,
                run_id=run.id,
                attempt=number,
                devices=",".join(place.gpus),
                memory_bytes=place.memory_bytes if place.gpus and place.shares else None,
            )
        )

    def _may_start(self, run: RunRecord) -> bool:
        paused = {group.name for group in self._store.groups() if group.is_paused}
        return run.waits and not run.is_held and not paused & {run.queue_group, EVERY_GROUP}
