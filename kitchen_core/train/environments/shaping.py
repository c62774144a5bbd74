"""Group rewards: parts that depend on what the other episodes of a problem did.

The example is the length reward of Kimi k1.5 (arXiv 2501.12599, section 2.3.3): of a problem's episodes
the shorter ones are worth more, and a wrong answer gains nothing by being short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments.base import EnvGroupBuilder, Environment
from kitchen_core.train.environments.problems import CORRECT, Problem, around
from kitchen_core.train.grading import Grader
from kitchen_core.train.trajectories import Trajectory

GroupRewards = Callable[[Sequence[Trajectory]], Sequence[Mapping[str, float]]]


def with_group_rewards(
    environment: Environment, rewards: GroupRewards, weights: Mapping[str, float], *, name: str
) -> Environment:
    """The environment with further parts, for each episode of a group a mapping. weights: of those parts.

    A recipe makes short answers worth more with
    `register_environment(with_group_rewards(get_environment("math"), length_rewards, {"length": 0.1},
    name="short_math"))`.
    """
    return _Shaped(name, environment, rewards, dict(weights))


def length_rewards(trajectories: Sequence[Trajectory]) -> list[Mapping[str, float]]:
    """The part `length` of each episode: `0.5 - (n - shortest) / (longest - shortest)` with `n` sampled
    tokens, for a right answer; the lesser of that and 0 for a wrong one; 0 where all are as long.
    """
    lengths = [sum(len(turn.sample.tokens) for turn in each.turns) for each in trajectories]
    shortest, longest = min(lengths, default=0), max(lengths, default=0)
    if shortest == longest:
        return [{"length": 0.0} for _ in trajectories]
    found: list[Mapping[str, float]] = []
    for each, length in zip(trajectories, lengths, strict=True):
        worth = 0.5 - (length - shortest) / (longest - shortest)
        found.append({"length": worth if _is_right(each) else min(0.0, worth)})
    return found


def _is_right(trajectory: Trajectory) -> bool:
    return any(turn.rewards.get(CORRECT, 0.0) > 0 for turn in trajectory.turns)


@dataclass(frozen=True, slots=True)
class _Shaped:
    name: str
    environment: Environment
    rewards: GroupRewards
    weights: Mapping[str, float]

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        inner = self.environment.group(example, grader)

        async def compare(trajectories: Sequence[Trajectory]) -> list[Mapping[str, float]]:
            theirs = await inner.group_rewards(trajectories)
            ours = self.rewards(trajectories)
            return [{**one, **other} for one, other in zip(theirs, ours, strict=True)]

        shaped: Problem = around(inner, self.name, _as_it_is)
        weights = {**inner.reward_weights, **self.weights}
        return replace(shaped, reward_weights=weights, compare=compare)


_T = TypeVar("_T")


def _as_it_is(env: _T) -> _T:
    return env
