"""A long line of which a decision needs to see the front alone.

Of runs that are alike in all that decides, those before take or keep whatever there is for them; how many more follow
changes nothing. So a night of ten thousand runs is foretold about as fast as one of a few hundred.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping

from kitchen_core.needs import Needs
from kitchen_core.store.records import EVERY_GROUP
from kitchen_daemon.queueing.obstacles import why_after
from kitchen_daemon.queueing.ordering import place
from kitchen_daemon.queueing.rooms import has_share
from kitchen_daemon.queueing.states import GroupState, Machine, Waiting

_PICTURES = 3
"""A look along the line draws on so many pictures of the machine, and each can take up a run."""


class Line:
    """Runs that wait, alike ones together and in order. by_id: all of them."""

    def __init__(self, machine: Machine, groups: Mapping[str, GroupState]) -> None:
        self.by_id: dict[str, Waiting] = {}
        self._machine = machine
        self._groups = groups
        self._alike: dict[tuple[object, ...], list[Waiting]] = defaultdict(list)

    def put(self, run: Waiting) -> None:
        """Let a run wait, or wait as it is now."""
        if run.id in self.by_id:
            self.pop(run.id)
        self.by_id[run.id] = run
        if not _is_asleep(run):
            insort(self._alike[_all_that_decides(run)], run, key=place)

    def pop(self, run_id: str) -> Waiting:
        """Take a run out."""
        run = self.by_id.pop(run_id)
        if not _is_asleep(run):
            self._alike[_all_that_decides(run)].remove(run)
        return run

    def front(self) -> tuple[Waiting, ...]:
        """Whoever may start, keep something, or make others go aside; and some more."""
        front: list[Waiting] = []
        for alike in self._alike.values():
            front += alike[: self._as_many_as_matter(alike[0])] if alike else []
        return tuple(front)

    def _as_many_as_matter(self, run: Waiting) -> int:
        limits = (self._groups.get(name) for name in (run.group, EVERY_GROUP))
        in_groups = sum(group.most_running or 0 for group in limits if group is not None)
        return _PICTURES * self._most_at_once(run.needs) + in_groups + 1

    def _most_at_once(self, needs: Needs) -> int:
        """More than can have, or keep, a place at the same time."""
        if needs.device == "cpu":
            return 2 * self._machine.slots
        shares = needs.memory_bytes if has_share(needs) else None
        fit = sum(gpu.memory_bytes // max(shares, 1) if shares else 1 for gpu in self._machine.gpus)
        return fit + len(self._machine.gpus)


def _is_asleep(run: Waiting) -> bool:
    """Whether it can't start before something is done to it."""
    return run.is_held or why_after(run.parents) is not None


def _all_that_decides(run: Waiting) -> tuple[object, ...]:
    needs = run.needs
    return (
        run.priority,
        run.group,
        run.window,
        run.preempts,
        run.not_before,
        needs.device,
        needs.gpus,
        needs.threads,
        needs.memory_bytes,
        needs.shares,
    )
