"""The queue at work: hands runs to workers, watches them, and settles what they leave.

While a worker lives it alone changes its run's status; otherwise this does. Everything it needs to
know is in the store, so it can be killed at any moment and begun again.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
from collections.abc import Coroutine

from kitchen_core.home import Home
from kitchen_core.needs import Placement
from kitchen_core.store.errors import StoreBusy, StoreFull
from kitchen_core.store.records import RunRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Intent, RunError, RunStatus
from kitchen_daemon.launching.pinning import LOST
from kitchen_daemon.launching.submission import waiting_reason
from kitchen_daemon.logs import last_lines
from kitchen_daemon.machine.tenants import Tenant
from kitchen_daemon.process import ProcessIdentity
from kitchen_daemon.reserve import keep_reserve, release_reserve
from kitchen_daemon.running.fork_server import ForkServer, WaitingWorker
from kitchen_daemon.running.lease import Lease
from kitchen_daemon.running.workers import Worker
from kitchen_daemon.secrets import redactor

logger = logging.getLogger(__name__)

KILL_AFTER_S = 10.0  # from asking a worker to stop
RETRY_SECONDS = 5.0


class CantBeAsked(ValueError):  # noqa: N818 - named by the condition
    """Something was asked of a run that it can't do now."""


class Dispatcher:
    """Runs what is queued, one run at a time."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home = home
        self._store = store
        self._fork_server = ForkServer(home)
        self._workers: dict[str, Worker] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    @property
    def standby_ready(self) -> bool:
        """Whether the next run would begin at once."""
        return self._fork_server.is_ready

    @property
    def running(self) -> list[str]:
        """The runs that have a worker."""
        return list(self._workers)

    @property
    def tenants(self) -> list[Tenant]:
        """The runs that have a worker, and where."""
        return [
            Tenant(run, worker.identity.pid, Placement()) for run, worker in self._workers.items()
        ]

    def wake(self) -> None:
        """Look at the queue again."""
        self._wake.set()

    def adopt(self) -> None:
        """Take over the workers that an earlier daemon left, and settle those that died unseen."""
        for attempt in self._store.open_attempts():
            identity = ProcessIdentity(attempt.pid, attempt.pid_started_at, attempt.boot_id)
            if identity.is_alive():
                logger.info("adopted the worker of run %s (pid %d)", attempt.run_id, attempt.pid)
                self._watch(attempt.run_id, attempt.number, Worker(identity))
            else:
                self._settle(attempt.run_id, attempt.number, None)

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
                await self._wake.wait()
        finally:
            self._fork_server.close()

    def cancel(self, run: RunRecord) -> None:
        """Ask a run to end; one without a worker ends at once. Raises InvalidTransition."""
        worker = self._workers.get(run.id)
        if worker is None or run.status.is_at_rest:
            self._store.transition(run.id, RunStatus.CANCELLED, reason="cancelled")
            self.wake()
            return
        self._store.set_intent(run.id, Intent.CANCEL)
        self._stop(worker)

    def pause(self, run: RunRecord) -> None:
        """Ask a running run to save itself and stop. Raises CantBeAsked where none runs."""
        worker = self._workers.get(run.id)
        if worker is None or run.status is not RunStatus.RUNNING:
            raise CantBeAsked(f"run {run.id} is {run.status}, so there is nothing to pause")
        self._store.set_intent(run.id, Intent.PAUSE)
        worker.ask_to_stop()

    async def resume(self, run: RunRecord, *, replace: bool, reason: str) -> None:
        """Queue a run again, to go on from its checkpoint. reason: what to say of it meanwhile.

        Raises InvalidTransition, or CantBeAsked while a worker has it.
        """
        worker = self._workers.get(run.id)
        if worker is not None and run.status.is_at_rest:
            await self._see_off(run, worker)
        elif worker is not None and replace:
            self._replace(run, worker)
        elif worker is not None:
            raise CantBeAsked(
                f"run {run.id} has a worker (pid {worker.identity.pid}) already; "
                f"if that hangs, replace it: kitchen resume {run.id} --replace"
            )
        self._store.transition(run.id, RunStatus.QUEUED, reason=reason)
        self.wake()

    async def _see_off(self, run: RunRecord, worker: Worker) -> None:
        """Wait for a worker that has only to exit."""
        self._spawn(self._kill_later(worker))
        await self._settle_when_gone(run.id, run.attempt, worker)

    def _replace(self, run: RunRecord, worker: Worker) -> None:
        """Fence the worker off; whenever it wakes, nothing that it writes is taken."""
        try:
            self._store.end_attempt(run.id, run.attempt, None)
        except StoreBusy:  # it may have been stopped while it was writing
            worker.kill()
            self._store.end_attempt(run.id, run.attempt, None)
        del self._workers[run.id]
        if run.status is RunStatus.RUNNING:
            self._store.transition(run.id, RunStatus.INTERRUPTED, reason="its worker was replaced")
        self._stop(worker)

    def _stop(self, worker: Worker) -> None:
        worker.ask_to_stop()
        self._spawn(self._kill_later(worker))

    async def _kill_later(self, worker: Worker) -> None:
        try:
            await asyncio.wait_for(worker.wait(), KILL_AFTER_S)
        except TimeoutError:
            worker.kill()

    async def _turn(self) -> None:
        self._release_held()
        queued = [run for run in self._store.queued_runs() if run.id not in self._workers]
        self._fork_server.start()
        if self._workers or not queued:
            return
        try:
            with await self._fork_server.fork() as waiting:
                self._lease(queued[0], waiting)
        except OSError as error:
            logger.error("run %s could not be given to a worker: %s", queued[0].id, error)
            self._later(RETRY_SECONDS)

    def _lease(self, run: RunRecord, waiting: WaitingWorker) -> None:
        keep_reserve(self._home)
        current = self._store.get_run(run.id)
        if current.status is not RunStatus.QUEUED:  # cancelled while the fork server was starting
            self.wake()
            return
        identity = waiting.worker.identity
        log = self._home.attempt_log(run.id, run.attempt + 1)
        log.parent.mkdir(parents=True, exist_ok=True)
        number = self._store.begin_attempt(
            run.id, identity.pid, identity.started_at, identity.boot_id, log
        )
        self._watch(run.id, number, waiting.worker)
        waiting.lease(Lease(home=self._home.root, run_id=run.id, attempt=number))

    def _watch(self, run_id: str, attempt: int, worker: Worker) -> None:
        self._workers[run_id] = worker
        self._spawn(self._settle_when_gone(run_id, attempt, worker))

    async def _settle_when_gone(self, run_id: str, attempt: int, worker: Worker) -> None:
        exit_code = await worker.wait()
        while self._workers.get(run_id) is worker:  # else it was replaced, or is settled already
            try:
                self._settle(run_id, attempt, exit_code)
                del self._workers[run_id]
            except Exception as error:  # the run must not stay with a worker that is gone
                if isinstance(error, StoreFull):
                    release_reserve(self._home)
                logger.exception("run %s could not be settled; trying again", run_id)
                await asyncio.sleep(RETRY_SECONDS)
        self.wake()

    def _settle(self, run_id: str, attempt: int, exit_code: int | None) -> None:
        """Close an attempt whose worker is gone, and say what became of its run where the worker
        could not.
        """
        self._store.end_attempt(run_id, attempt, exit_code)
        shutil.rmtree(self._home.attempt_scratch(run_id, attempt), ignore_errors=True)
        redactor(self._home).file(self._home.attempt_log(run_id, attempt))  # what C libraries wrote
        self._store.content.sweep()  # what it was storing
        run = self._store.get_run(run_id)
        if run.attempt != attempt:
            return
        how = _how_it_ended(exit_code)
        has_begun = run.status is RunStatus.RUNNING
        if run.intent is Intent.CANCEL and (has_begun or run.status is RunStatus.QUEUED):
            self._store.transition(run_id, RunStatus.CANCELLED, reason=f"cancelled; {how}")
        elif has_begun:
            self._store.transition(
                run_id, RunStatus.INTERRUPTED, reason=f"{how}; go on with: kitchen resume {run_id}"
            )
        elif run.status is RunStatus.QUEUED and exit_code is not None:
            self._store.transition(run_id, RunStatus.FAILED, error=self._died_early(run, how))

    def _died_early(self, run: RunRecord, how: str) -> RunError:
        return RunError(
            type="WorkerDied",
            message=f"{how} before the run began",
            hint=f"look at {self._home.daemon_log}, then try again with: kitchen resume {run.id}",
            log_tail=last_lines(self._home.attempt_log(run.id, run.attempt)),
        )

    def _release_held(self) -> None:
        for run in self._store.list_runs(status=RunStatus.HELD):
            parents = [self._store.get_run(parent) for parent in run.after]
            waiting = [parent for parent in parents if parent.status is not RunStatus.COMPLETED]
            if not waiting:
                self._store.transition(run.id, RunStatus.QUEUED)
                continue
            lost = [parent for parent in waiting if parent.status in LOST]
            reason = waiting_reason(waiting)
            if lost:
                reason += f"; bring it back with: kitchen resume {lost[0].id}"
            if reason != run.reason:
                self._store.hold_for(run.id, reason, [parent.id for parent in lost])

    def _later(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is None:
        return "the worker ended unseen"
    if exit_code < 0:
        return f"the worker was killed by {signal.Signals(-exit_code).name}"
    return f"the worker ended with exit code {exit_code}"
