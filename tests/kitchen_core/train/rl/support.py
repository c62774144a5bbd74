"""Episodes and groups from a few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import Sample


def turn(
    reward: float = 0.0,
    prompt: Sequence[int] = (1, 2),
    answer: Sequence[int] = (7, 8),
    metrics: Mapping[str, float] | None = None,
) -> Turn:
    logprobs = np.full(len(answer), -0.5, np.float32)
    sample = Sample(list(answer), logprobs, "stop")
    return Turn(list(prompt), sample, {"earned": reward}, metrics or {})


def episode(*rewards: float, error: str | None = None, version: int = 0) -> Trajectory:
    return Trajectory(tuple(turn(reward) for reward in rewards), version, error=error)


def group(*episodes: Trajectory, tags: tuple[str, ...] = ("all the same",)) -> TrajectoryGroup:
    return TrajectoryGroup(episodes, tags, where="data row 1", question="?")


def of_rewards(*rewards: float, tags: tuple[str, ...] = ("all the same",)) -> TrajectoryGroup:
    """A group of episodes of one turn."""
    return group(*(episode(reward) for reward in rewards), tags=tags)


BROKEN = episode(0.0, error="RuntimeError: the tool is gone")
