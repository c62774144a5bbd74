"""One look along the line: who gets a place, who keeps one, and why the others wait."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kitchen_core.needs import Placement
from kitchen_core.store.records import EVERY_GROUP
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing import words
from kitchen_daemon.queueing.decisions import Start, Why
from kitchen_daemon.queueing.lacking import why_never, why_no_room
from kitchen_daemon.queueing.pictures import Picture
from kitchen_daemon.queueing.rooms import Room
from kitchen_daemon.queueing.states import QueueState, Waiting


@dataclass(slots=True)
class _Kind:
    """What holds for all runs that need the same. never: why they could not run even if none of ours did.
    why: there is no room, which there won't be again in this look. all_kept: one more of them keeps nothing new.
    """

    never: Why | None
    why: Why | None = None
    all_kept: bool = False


class Serving:
    """Serves runs that only room may be lacking for, in their order.

    Three pictures are drawn on: `now`; `ahead`, when those that are leaving have left; and `clear`, the machine with
    only those on it that this look has served.

    leaving: the ids of those. starts, whys: what has come of it so far. before: who took or kept what others
    might have had.
    """

    def __init__(self, state: QueueState, leaving: Collection[str]) -> None:
        self.starts: list[Start] = []
        self.whys: dict[str, Why] = {}
        self.before: list[Waiting] = []
        self._state = state
        self._leaving = leaving
        self._now = Picture(state, leaving=leaving)
        self._ahead = Picture(state, gone=leaving)
        self._clear = Room(state.machine)
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._spoken_for: set[str] = set()

    def serve(self, run: Waiting) -> bool:
        """Give a run its place, or keep one for it. Whether all is done for it: False where it asks that others go
        aside, and that might help.
        """
        kind = self._kind(run)
        full = self._now.groups.full(run.group)
        if full is not None:
            return self._wait_for_group(run, kind, full)
        if kind.why is None:
            place = None if kind.never else self._now.room.find(run.needs)
            if place is not None:
                self._start(run, place)
                return True
            kind.why = kind.never or why_no_room(run.needs, self._now.room)
        self.whys[run.id] = kind.why
        return kind.never is not None or self._wait_for_room(run, kind)

    def has_place_ahead(self, run: Waiting) -> bool:
        """Whether a run gets a place as soon as those that are leaving have left."""
        return self._ahead.find(run) is not None

    def _kind(self, run: Waiting) -> _Kind:
        needs = run.needs
        key = (needs.device, needs.gpus, needs.threads, needs.memory_bytes, needs.shares)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = _Kind(why_never(needs, self._state.machine))
        return kind

    def _start(self, run: Waiting, place: Placement) -> None:
        self.starts.append(Start(run.id, place))
        for picture in (self._now, self._ahead):
            picture.take(run, place, self._state.now)
        self._take_clear(run)
        self.before.append(run)

    def _wait_for_room(self, run: Waiting, kind: _Kind) -> bool:
        if kind.all_kept or run.needs.device in self._spoken_for:
            for picture in (self._now, self._ahead):
                picture.groups.keep(run.group, run.name)
            return True
        place = self._ahead.find(run)
        if place is not None and run.preempts:
            self.whys[run.id] = self._why_soon(run, place)
        may_help = place is None and run.preempts and self._clear.find(run.needs) is not None
        kind.all_kept = not self._keep(run, place or self._ahead.room.to_wait_for(run.needs))
        return not may_help

    def _wait_for_group(self, run: Waiting, kind: _Kind, full: str) -> bool:
        self.whys[run.id] = self._now.groups.why_full(full)
        if kind.never is not None:
            return True
        place = self._ahead.find(run) if run.preempts else None
        if place is not None:
            self.whys[run.id] = self._why_soon(run, place, full)
            self._keep(run, place)
            return True
        self._ahead.groups.keep_next(full, run.name)
        if self._now.groups.keep_next(full, run.name):
            self.before.append(run)
        return not (run.preempts and self._clear.find(run.needs))

    def _keep(self, run: Waiting, place: Placement) -> bool:
        """Keep the place for a run. Whether somebody else might have had it."""
        kept = [picture.keep(run, place) for picture in (self._now, self._ahead)]
        is_new = any([*kept, self._take_clear(run)])
        if is_new:
            self.before.append(run)
        elif self._all_is_spoken_for(run.needs.device):
            self._spoken_for.add(run.needs.device)
        return is_new

    def _take_clear(self, run: Waiting) -> bool:
        """Draw a run on the clear machine. Whether somebody else might have had its place."""
        place = self._clear.find(run.needs)
        if place is not None:
            self._clear.take(place, run.name, self._state.now)
            return True
        return self._clear.keep(self._clear.to_wait_for(run.needs), run.name)

    def _all_is_spoken_for(self, device: str) -> bool:
        rooms = (self._now.room, self._ahead.room, self._clear)
        return all(room.is_spoken_for(device) for room in rooms)

    def _why_soon(self, run: Waiting, place: Placement, full: str | None = None) -> Why:
        """Who has to leave before a run has that place."""
        names = [
            other.name
            for other in self._state.running
            if other.id in self._leaving
            and (
                not set(place.gpus).isdisjoint(other.placement.gpus)
                or not (place.gpus or other.placement.gpus)
                or full in (other.group, EVERY_GROUP)
            )
        ]
        have = "has" if len(names) == 1 else "have"
        return Why(WaitCode.PREEMPTING, f"waits until {words.listed(names)} {have} gone aside")
