"""How many runs of a group may have a worker at the same time."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen_core.store.records import EVERY_GROUP
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing import words
from kitchen_daemon.queueing.decisions import Why
from kitchen_daemon.queueing.states import GroupState


class Groups:
    """The places of the groups: who has one, and who keeps one until it can start."""

    def __init__(self, groups: Mapping[str, GroupState]) -> None:
        limits = {name: group.most_running for name, group in groups.items()}
        self._most = {name: most for name, most in limits.items() if most is not None}
        self._members: dict[str, list[str]] = {name: [] for name in self._most}
        self._keepers: dict[str, list[str]] = {name: [] for name in self._most}
        self._full: dict[str, Why] = {}

    def full(self, group: str) -> str | None:
        """Which group has no place for one more of `group`: that one, or every group."""
        if self._most:
            for name in self._limits_of(group):
                if len(self._members[name]) + len(self._keepers[name]) >= self._most[name]:
                    return name
        return None

    def take(self, group: str, run: str) -> None:
        """A run of the group has a worker."""
        for name in self._limits_of(group):
            self._members[name].append(run)

    def keep(self, group: str, run: str) -> bool:
        """A run of the group waits for room; nobody behind it gets its place in the group. Whether there are only so
        many.
        """
        limits = self._limits_of(group)
        for name in limits:
            self._keepers[name].append(run)
        return bool(limits)

    def keep_next(self, name: str, run: str) -> bool:
        """A run waits for the next place of this group that becomes free. Whether it may be any of those."""
        self._keepers[name].append(run)
        return len(self._keepers[name]) <= self._most[name]

    def why_full(self, name: str) -> Why:
        """Why nobody new of a group that is full gets a worker."""
        if name not in self._full:
            self._full[name] = self._words(name)
        return self._full[name]

    def _words(self, name: str) -> Why:
        whole = "the queue" if name == EVERY_GROUP else f"group {name}"
        members, most = self._members[name], self._most[name]
        if len(members) < most:
            first = self._keepers[name][0]
            return Why(WaitCode.TURN, f"the next place of {whole} is kept for {first}")
        runs = f"{words.listed(members)} {'runs' if len(members) == 1 else 'run'}"
        return Why(WaitCode.GROUP_FULL, f"{whole} is full: {runs}, {most} at a time")

    def _limits_of(self, group: str) -> list[str]:
        if not self._most:
            return []
        return [name for name in (group, EVERY_GROUP) if name in self._most]
