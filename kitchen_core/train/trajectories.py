"""What a policy did in an environment, turn by turn, and the groups that it is compared within."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kitchen_core.train.types import Sample


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One answer of the policy and what came of it.

    prompt: the token ids that it read. rewards: what it earned, by part, before the parts are weighed.
    metrics: what else the environment has to say of it. told: what it was told next, for people.
    """

    prompt: list[int]
    sample: Sample
    rewards: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    told: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """One episode. version: optimizer steps behind the weights that sampled it.

    group_rewards: parts that are known only when the whole group has ended. error: why the episode
    is left out, where something in it broke; its turns until then are kept for people.
    """

    turns: tuple[Turn, ...]
    version: int
    group_rewards: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    def reward(self, weights: Mapping[str, float]) -> float:
        """The sum of all parts of all turns and of the group's, each times its weight (1 where it has
        none).
        """
        parts = [*(turn.rewards for turn in self.turns), self.group_rewards]
        return sum(weighed(each, weights) for each in parts)


@dataclass(frozen=True, slots=True, eq=False)
class TrajectoryGroup:
    """Episodes of one problem. tags: what the metrics are told apart by (the environment, the dataset).

    where: the problem's place in the data, for messages to people. question: what was asked, for people.
    reward_weights: of the parts of the reward, by name.
    """

    trajectories: tuple[Trajectory, ...]
    tags: tuple[str, ...]
    where: str
    question: str
    reward_weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> tuple[Trajectory, ...]:
        """The episodes in which nothing broke."""
        return tuple(each for each in self.trajectories if each.error is None)

    @property
    def rewards(self) -> list[float]:
        """What each whole episode was worth."""
        return [each.reward(self.reward_weights) for each in self.whole]


def weighed(rewards: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The sum of the parts of a reward, each times its weight (1 where it has none)."""
    return sum(weights.get(name, 1.0) * value for name, value in rewards.items())
