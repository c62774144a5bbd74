"""What one step's sampling gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kitchen_core.train.rl.records import group_from_plain, group_to_plain
from kitchen_core.train.trajectories import TrajectoryGroup


@dataclass(frozen=True)
class Rollouts:
    """All the groups that were sampled for a batch, those sampled in place of constant ones last.

    index: the batch's. epoch: of its problems. seconds: how long it took.
    """

    index: int
    epoch: int
    groups: tuple[TrajectoryGroup, ...]
    seconds: float

    def to_plain(self) -> dict[str, Any]:
        """As JSON, exact to the bit."""
        groups = [group_to_plain(group) for group in self.groups]
        return {"index": self.index, "epoch": self.epoch, "groups": groups, "seconds": self.seconds}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Rollouts:
        """What `to_plain` wrote."""
        return cls(**{**plain, "groups": tuple(map(group_from_plain, plain["groups"]))})
