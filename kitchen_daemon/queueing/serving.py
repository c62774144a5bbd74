"""One look along the line: who gets a place, who keeps one, and why the others wait."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from kitchen_core.needs import Needs, Placement
from kitchen_core.store.records import EVERY_GROUP
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing import words
from kitchen_daemon.queueing.decisions import Start, Why
from kitchen_daemon.queueing.lacking import why_never, why_no_room, why_not_yet
from kitchen_daemon.queueing.pictures import Picture
from kitchen_daemon.queueing.rooms import Room
from kitchen_daemon.queueing.states import QueueState, Waiting


@dataclass(slots=True)
class _Kind:
    """What holds for all runs that need the same. never: why they could not run even if none of ours did.
    why: there is no room, which there won't be again in this look. all_is_kept: nor anything to be kept.
    """

    never: Why | None
    why: Why | None = None
    all_is_kept: bool = False


class Serving:
    """Serves runs that only room may be lacking for, in their order.

    Three pictures are drawn on: `now`; `ahead`, when those that are leaving have left; and `clear`, the machine with
    only those on it that keep a place.

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
            kind = self._kinds[key] = _Kind(why_never(needs, self._clear))
        return kind

    def _start(self, run: Waiting, place: Placement) -> None:
        self.starts.append(Start(run.id, place))
        for picture in (self._now, self._ahead):
            picture.take(run, place, self._state.now)
        self.before.append(run)

    def _wait_for_room(self, run: Waiting, kind: _Kind) -> bool:
        if not kind.all_is_kept and self._is_all_kept(run.needs):
            kind.all_is_kept = True
            kind.why = self.whys[run.id] = why_not_yet(run.needs, self._now.room)
        if kind.all_is_kept:
            self._keep_in_group(run)
            return True
        place = self._ahead.find(run)
        if place is not None and run.preempts:
            self.whys[run.id] = self._why_soon(run, place)
        may_help = place is None and run.preempts and not self._clear.is_all_kept(run.needs)
        self._keep(run, place or self._ahead.room.to_wait_for(run.needs))
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
        return not run.preempts or self._clear.is_all_kept(run.needs)

    def _keep(self, run: Waiting, place: Placement) -> None:
        """Keep the place for a run, and one in its group."""
        kept = [picture.room.keep(place, run.name) for picture in (self._now, self._ahead)]
        is_new = any([*kept, self._keep_clear(run)])
        self._keep_in_group(run, counts=is_new)

    def _keep_in_group(self, run: Waiting, *, counts: bool = False) -> None:
        """Keep a place in its group for a run. counts: it has kept something besides that others might have had."""
        self._ahead.groups.keep(run.group, run.name)
        is_limited = self._now.groups.keep(run.group, run.name)
        if counts or is_limited:  # else it is as if it were not there
            self.before.append(run)

    def _keep_clear(self, run: Waiting) -> bool:
        """Draw a run on the clear machine. Whether somebody else might have had its place."""
        place = self._clear.find(run.needs)
        if place is None:
            return self._clear.keep(self._clear.to_wait_for(run.needs), run.name)
        self._clear.take(place, run.name, self._state.now)
        if place.gpus and not place.shares:
            self._clear.keep(place, run.name)
        return True

    def _is_all_kept(self, needs: Needs) -> bool:
        """Whether one more run that needs this changes nothing."""
        rooms = (self._now.room, self._ahead.room, self._clear)
        return all(room.is_all_kept(needs) for room in rooms)

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
