"""What can be asked of runs and of the queue. It is in the store before anybody is told, so that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from kitchen_core.store.errors import StoreBusy
from kitchen_core.store.records import EVERY_GROUP, RunRecord
from kitchen_core.store.runs import StatusChange
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Intent, RunStatus
from kitchen_daemon.launching.turns import why_held
from kitchen_daemon.models import RunChange
from kitchen_daemon.running.crew import AtWork, Crew

KILL_AFTER_S = 10.0
"""From asking a worker to end."""
PAUSE_WITHIN_S = 600.0
"""What a worker may take to finish its step and save. One that hangs is killed then."""


class CantBeAsked(ValueError):  # noqa: N818 - named by the condition
    """Something was asked of a run that it can't do now."""


class Asking:
    """Takes what users ask. wake: has the queue looked at."""

    def __init__(self, store: Store, crew: Crew, wake: Callable[[], None]) -> None:
        self._store = store
        self._crew = crew
        self._wake = wake

    def cancel(self, run: RunRecord) -> None:
        """Ask a run to end; one without a worker, or that has stopped, ends at once. Raises InvalidTransition."""
        member = self._crew.of(run.id)
        if member is not None and self._store.set_intent(run.id, Intent.CANCEL):
            self._crew.stop(member, KILL_AFTER_S)
            return
        self._store.transition(run.id, RunStatus.CANCELLED, reason="cancelled")
        self._wake()

    def pause(self, run: RunRecord) -> None:
        """Ask a running run to save itself and stop until it is resumed; one that the kitchen has paused stays so
        until then. Raises CantBeAsked where there is nothing to pause.
        """
        member = self._crew.of(run.id)
        if run.intent is Intent.CANCEL:
            raise CantBeAsked(f"run {run.id} was cancelled, and stops; it can't be paused")
        if run.status in (RunStatus.QUEUED, RunStatus.HELD):
            raise CantBeAsked(
                f"run {run.id} is {run.status}, so there is nothing to pause; "
                f"keep it from starting with: kitchen queue hold {run.id}"
            )
        if member is not None and self._store.set_intent(run.id, Intent.PAUSE):
            self._crew.stop(member, PAUSE_WITHIN_S)
            return
        run = self._store.get_run(run.id)  # it may have stopped meanwhile
        if not run.is_set_aside:
            raise CantBeAsked(f"run {run.id} is {run.status}, so there is nothing to pause")
        self._store.take_over(run.id, f"go on with: kitchen resume {run.id}")
        self._wake()

    async def resume(self, run: RunRecord, *, replace: bool, reason: str) -> None:
        """Queue a run again, to go on from its checkpoint. reason: what to say of it meanwhile.

        Raises InvalidTransition, or CantBeAsked while a worker has it.
        """
        run = self._store.get_run(run.id)  # whether it can be resumed took a while to find out
        member = self._crew.of(run.id)
        if member is not None and run.status.is_at_rest:
            await self._crew.see_off(member, KILL_AFTER_S)
        elif member is not None and replace:
            self._replace(run, member)
        elif member is not None:
            raise CantBeAsked(
                f"run {run.id} has a worker (pid {member.worker.identity.pid}) already; "
                f"if that hangs, replace it: kitchen resume {run.id} --replace"
            )
        if self._store.get_run(run.id).status is not RunStatus.QUEUED:  # it may be, by itself
            self._store.transition(run.id, RunStatus.QUEUED, reason=reason)
        self._wake()

    def hold(self, run: RunRecord) -> None:
        """Keep a run that waits from starting. Raises NotWaiting."""
        self._store.hold(run.id, f"held; let it go with: kitchen queue release {run.id}")
        self._wake()

    def release(self, run: RunRecord) -> None:
        """Let a held run go. Raises CantBeAsked where nobody holds it, and NotWaiting."""
        if run.waits and not run.is_held:
            raise CantBeAsked(f"nobody holds run {run.id}; why it waits: kitchen show {run.id}")
        parents = [parent for parent in self._store.parents_of_waiting() if parent.child == run.id]
        self._store.release(run.id, why_held(parents))
        self._wake()

    def move(
        self, run: RunRecord, to: Literal["first", "last", "before", "after"], other: str | None
    ) -> None:
        """Give a run that waits another place. Raises CantBeAsked, NotFound, NotWaiting."""
        if (to in ("before", "after")) != (other is not None):
            raise CantBeAsked(
                f"say which run to move it {to}: kitchen queue move {run.id} --{to} RUN"
                if other is None
                else f"a run is moved {to}, or before or after another; not both"
            )
        neighbour = None if other is None else self._store.find_run(other).id
        if neighbour == run.id:
            raise CantBeAsked(f"run {run.id} can't be moved {to} itself; name another run")
        self._store.move(run.id, to, neighbour)
        self._wake()

    def change(self, run: RunRecord, asked: RunChange) -> None:
        """Give a run that waits another priority or group. Raises CantBeAsked, NotWaiting."""
        if asked.group == EVERY_GROUP:
            raise CantBeAsked(f"'{EVERY_GROUP}' means every group; name one")
        self._store.change_waiting(run.id, priority=asked.priority, group=asked.group)
        self._wake()

    def pause_queue(self, group: str | None, *, let_finish: bool) -> None:
        """Start nothing more of a group, or at all. What runs is asked to pause and goes on by itself when the
        pause is over, unless it may finish. Raises NotFound.
        """
        for run_id in self._store.pause_group(group or EVERY_GROUP, let_finish=let_finish):
            self.tell(run_id)
        self._wake()

    def resume_queue(self, group: str | None) -> None:
        """End such a pause. Raises NotFound."""
        self._store.resume_group(group or EVERY_GROUP)
        self._wake()

    def limit_group(self, group: str, most_running: int | None) -> None:
        """Let so many runs of a group have a worker at a time."""
        self._store.limit_group(group, most_running)
        self._wake()

    def tell(self, run_id: str) -> None:
        """Tell a run's worker, if it has one, that the store holds an intent for it."""
        member = self._crew.of(run_id)
        if member is None:
            return
        intent = self._store.get_run(run_id).intent
        if intent is not None:
            grace_s = KILL_AFTER_S if intent is Intent.CANCEL else PAUSE_WITHIN_S
            self._crew.stop(member, grace_s)

    def _replace(self, run: RunRecord, member: AtWork) -> None:
        """Fence the worker off; whenever it wakes, nothing that it writes is taken."""
        interrupted = StatusChange(RunStatus.INTERRUPTED, "its worker was replaced")
        then = [interrupted] if run.status is RunStatus.RUNNING else []
        try:
            self._store.end_attempt(run.id, run.attempt, None, then)
        except StoreBusy:  # it may have been stopped while it was writing
            member.worker.kill()
            self._store.end_attempt(run.id, run.attempt, None, then)
        self._crew.dismiss(member, KILL_AFTER_S)
