"""The machine and the groups as they are at one moment, or will be."""

from __future__ import annotations

from collections.abc import Collection

from kitchen_core.needs import Placement
from kitchen_daemon.queueing.groups import Groups
from kitchen_daemon.queueing.rooms import Room
from kitchen_daemon.queueing.states import QueueState, Running, Waiting


class Picture:
    """What is taken and kept of the machine and the groups.

    gone: ids of runs that are not drawn, though they have a worker. leaving: ids of those that are marked so.
    """

    def __init__(
        self, state: QueueState, gone: Collection[str] = (), leaving: Collection[str] = ()
    ) -> None:
        self.room = Room(state.machine)
        self.groups = Groups(state.groups)
        for run in state.running:
            if run.id not in gone:
                name = f"{run.name} (leaving)" if run.id in leaving else run.name
                self._draw(run, name)

    def find(self, run: Waiting) -> Placement | None:
        """A place for a run, where its group has one too."""
        return None if self.groups.full(run.group) else self.room.find(run.needs)

    def take(self, run: Waiting, place: Placement, at: float) -> None:
        """The run has its place there."""
        self.room.take(place, run.name, at)
        self.groups.take(run.group, run.name)

    def _draw(self, run: Running, name: str) -> None:
        self.room.take(run.placement, name, run.started_at)
        self.groups.take(run.group, name)
