"""Advantages: by how much an episode was worth more than the others of its group.

Every function gives `[episodes][turns]`, one number for each answer of each episode. Only `gae` tells
the turns of an episode apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kitchen_core.train.rl.discounting import discounted_sums
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, weighed

Advantage = Literal["group_mean", "group_std", "leave_one_out", "gae"]
Float64Array = NDArray[np.float64]

STD_EPS = 1e-4
"""Added to the spread by `group_std`, as TRL's GRPOTrainer does."""


def compute_advantages(
    group: TrajectoryGroup, method: Advantage, *, discount: float = 1.0, gae_lambda: float = 0.95
) -> list[Float64Array]:
    """The advantages of a group's whole episodes, `[episodes][turns]`.

    discount and gae_lambda are `gae`'s.
    """
    episodes = group.whole
    if method == "gae":
        return gae([turn_rewards(each, group) for each in episodes], discount, gae_lambda)
    rewards = np.array([each.reward(group.reward_weights) for each in episodes])
    compared = _COMPARED[method](rewards)
    return [np.full(len(e.turns), a) for e, a in zip(episodes, compared, strict=True)]


def group_mean(rewards: Float64Array) -> Float64Array:
    """A = R - mean(R), `[group]`; tinker-cookbook's `compute_advantages`. One episode alone has 0."""
    return rewards - rewards.mean() if len(rewards) else rewards


def group_std(rewards: Float64Array) -> Float64Array:
    """A = (R - mean(R)) / (std(R) + 1e-4), `[group]`, with the sample's spread (n - 1); GRPO
    (DeepSeekMath, 2402.03300) as TRL computes it. One episode alone, and equal ones, have 0.
    """
    if len(rewards) < 2:
        return np.zeros_like(rewards)
    return group_mean(rewards) / (rewards.std(ddof=1) + STD_EPS)


def leave_one_out(rewards: Float64Array) -> Float64Array:
    """A_i = R_i - mean of the others' R, `[group]`; RLOO (2402.14740). One episode alone has 0."""
    if len(rewards) < 2:
        return np.zeros_like(rewards)
    return group_mean(rewards) * len(rewards) / (len(rewards) - 1)


def gae(rewards: Sequence[Float64Array], discount: float, gae_lambda: float) -> list[Float64Array]:
    """Generalised advantage estimation (1506.02438) over turns, `[episodes][turns]`.

    There is no value model: the value of having come to turn t is what the group made of it,

        V_t = mean over the episodes that have a turn t of  sum_{k >= t} discount^(k - t) r_k,

    and 0 once an episode is over. Then delta_t = r_t + discount V_{t+1} - V_t, and
    A_t = delta_t + discount gae_lambda A_{t+1}. Where every episode has one turn this is `group_mean`.
    """
    returns = [discounted_sums(each, discount) for each in rewards]
    longest = max((len(each) for each in returns), default=0)
    values = np.array(
        [np.mean([each[t] for each in returns if len(each) > t]) for t in range(longest)],
        dtype=np.float64,
    )
    return [_gae_of(each, values[: len(each)], discount, gae_lambda) for each in rewards]


def turn_rewards(episode: Trajectory, group: TrajectoryGroup) -> Float64Array:
    """What each turn of an episode earned, weighed, `[turns]`; what the group's end brought counts
    with the last one.
    """
    weights = group.reward_weights
    earned = np.array([weighed(turn.rewards, weights) for turn in episode.turns])
    earned[-1] += weighed(episode.group_rewards, weights)
    return earned


_COMPARED = {"group_mean": group_mean, "group_std": group_std, "leave_one_out": leave_one_out}


def _gae_of(
    rewards: Float64Array, values: Float64Array, discount: float, gae_lambda: float
) -> Float64Array:
    following = np.append(values[1:], 0.0)
    return discounted_sums(rewards + discount * following - values, discount * gae_lambda)
