"""Which groups of a batch there is something to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kitchen_core.train.trajectories import TrajectoryGroup


@dataclass(frozen=True)
class Sorted:
    """The groups of a batch. A group carries its tags with it, so these stay with it.

    kept: to learn from. constant: all of whose episodes earned the same. broken: with too few whole
    episodes to compare.
    """

    kept: tuple[TrajectoryGroup, ...]
    constant: tuple[TrajectoryGroup, ...]
    broken: tuple[TrajectoryGroup, ...]


def sort_groups(groups: Sequence[TrajectoryGroup], *, remove_constant: bool) -> Sorted:
    """The groups told apart.

    Where all that are whole are constant, the first of them is kept, as tinker-cookbook's
    `remove_constant_reward_groups` does: its step has no gradient but for a KL penalty's.
    """
    whole = [group for group in groups if can_be_compared(group)]
    broken = tuple(group for group in groups if not can_be_compared(group))
    if not remove_constant:
        return Sorted(tuple(whole), (), broken)
    mixed = [group for group in whole if not is_constant(group)]
    kept = mixed or whole[:1]
    left_out = tuple(group for group in whole if not any(group is each for each in kept))
    return Sorted(tuple(kept), left_out, broken)


def can_be_compared(group: TrajectoryGroup) -> bool:
    """Whether at least two of its episodes are whole: one alone has nothing to be better than."""
    return len(group.whole) >= 2


def is_constant(group: TrajectoryGroup) -> bool:
    """Whether all its whole episodes earned the same."""
    rewards = group.rewards
    return all(reward == rewards[0] for reward in rewards)
