"""What keeps a run from starting, whatever room there is: a person, other runs, the clock, a pause."""

from __future__ import annotations

from kitchen_core.store.records import EVERY_GROUP
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing import words
from kitchen_daemon.queueing.decisions import Why
from kitchen_daemon.queueing.states import Parent, QueueState, Waiting

_HELD = Why(WaitCode.HELD, "held until you release it")
_LOST = (RunStatus.FAILED, RunStatus.CANCELLED)
_STOPPED = (RunStatus.PAUSED, RunStatus.INTERRUPTED)


class Obstacles:
    """Finds the first one of each run. look_at: the first moment at which the clock takes one away or
    brings one, None before any was met.
    """

    def __init__(self, state: QueueState) -> None:
        self.look_at: float | None = None
        self._now = state.now
        self._windows = state.windows
        self._paused = {name for name, group in state.groups.items() if group.is_paused}
        self._closed: dict[str, Why | None] = {}

    def first(self, run: Waiting) -> Why | None:
        """What a run has to wait for first, None where only room may be lacking."""
        if run.is_held:
            return _HELD
        if run.parents and (after := why_after(run.parents)):
            return after
        if run.not_before is not None and run.not_before > self._now:
            self.look_again(run.not_before)
            return self._not_before(run.not_before)
        if run.window is not None and (closed := self._closed_window(run.window)):
            return closed
        return self._pause(run.group) if self._paused else None

    def look_again(self, at: float | None) -> None:
        """There is something to decide then."""
        if at is not None and at > self._now and (self.look_at is None or at < self.look_at):
            self.look_at = at

    def _not_before(self, at: float) -> Why:
        return Why(WaitCode.NOT_BEFORE, f"may start {words.moment(at, self._now)}")

    def _closed_window(self, name: str) -> Why | None:
        if name not in self._closed:
            self._closed[name] = self._look_at_window(name)
        return self._closed[name]

    def _look_at_window(self, name: str) -> Why | None:
        window = self._windows.get(name)
        if window is None:
            return Why(WaitCode.WINDOW_MISSING, f"its window {name} was removed")
        self.look_again(window.changes_at)
        if window.is_open:
            return None
        if window.changes_at is None:
            return Why(WaitCode.WINDOW_CLOSED, f"its window {name} does not open again")
        return Why(WaitCode.WINDOW_CLOSED, f"opens {words.moment(window.changes_at, self._now)}")

    def _pause(self, group: str) -> Why | None:
        if EVERY_GROUP in self._paused:
            return Why(
                WaitCode.QUEUE_PAUSED, "the queue is paused; go on with: kitchen queue resume"
            )
        if group in self._paused:
            resume = f"kitchen queue resume --group {group}"
            return Why(WaitCode.QUEUE_PAUSED, f"group {group} is paused; go on with: {resume}")
        return None


def why_after(parents: tuple[Parent, ...]) -> Why | None:
    """Which parents a run waits for, None where it need not."""
    for parent in parents:
        if parent.must_complete and parent.status in _LOST:
            ended = "was cancelled" if parent.status is RunStatus.CANCELLED else "failed"
            back = f"bring it back with: kitchen resume {parent.id}"
            return Why(WaitCode.AFTER_LOST, f"after {_named(parent)}, which {ended}; {back}")
    waited_for = [parent for parent in parents if not parent.status.is_final]
    if not waited_for:
        return None
    return Why(WaitCode.AFTER, f"after {words.listed([_told(parent) for parent in waited_for])}")


def _named(parent: Parent) -> str:
    """Its id too: runs of a recipe have one name unless they are given others."""
    return f"{parent.name} {parent.id}" if parent.name not in ("", parent.id) else parent.id


def _told(parent: Parent) -> str:
    named = _named(parent)
    return f"{named} ({parent.status})" if parent.status in _STOPPED else named
