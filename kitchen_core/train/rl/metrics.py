"""What there is to say of a batch's episodes, by the names of tinker-cookbook."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from kitchen_core.train.rl.groups import is_constant
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup

GOOD = 0.5
"""The reward from which a group all of whose episodes earned the same counts as good."""


def episode_metrics(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    """`env/all/*` over all groups and, where tags tell groups apart, `env/<tag>/*` over each tag's.

    Only whole episodes count. tinker-cookbook's `compute_trajectory_metrics`; beside what that has,
    `reward/<part>` is the mean of each part of the reward, unweighed, over the episodes that have it.
    """
    whole = [group for group in groups if group.whole]
    by_tag: dict[str, list[TrajectoryGroup]] = defaultdict(list)
    for group in whole:
        for tag in group.tags:
            by_tag[tag].append(group)
    if all(len(tagged) == len(whole) for tagged in by_tag.values()):
        by_tag.clear()  # no tag tells anything apart
    sets = {**by_tag, "all": whole}
    return {
        f"env/{tag}/{name}": value
        for tag, tagged in sets.items()
        for name, value in _of(tagged).items()
    }


def error_metrics(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    """`rollout_errors/<type>` and `/total`: episodes that broke; `/groups_skipped`: groups with none
    left. Nothing where nothing broke.
    """
    errors = [each.error for group in groups for each in group.trajectories if each.error]
    if not errors:
        return {}
    kinds = Counter(error.partition(":")[0] for error in errors)
    return {
        **{f"rollout_errors/{kind}": float(count) for kind, count in sorted(kinds.items())},
        "rollout_errors/total": float(len(errors)),
        "rollout_errors/groups_skipped": float(sum(not group.whole for group in groups)),
    }


def version_metrics(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    """`sampling_client/step_{max,min,mean}`: the optimizer steps behind the weights that sampled, over
    groups.
    """
    versions = [group.trajectories[0].version for group in groups if group.trajectories]
    if not versions:
        return {}
    return {
        "sampling_client/step_max": float(max(versions)),
        "sampling_client/step_min": float(min(versions)),
        "sampling_client/step_mean": float(np.mean(versions)),
    }


def _of(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    episodes = [each for group in groups for each in group.whole]
    turns = [turn for each in episodes for turn in each.turns]
    answered = sum(len(turn.sample.tokens) for turn in turns)
    read = sum(len(turn.prompt) for turn in turns)
    rewards = [reward for group in groups for reward in group.rewards]
    return {
        "ac_tokens_per_turn": _ratio(answered, len(turns)),
        "ob_tokens_per_turn": _ratio(read, len(turns)),
        "turns_per_episode": _ratio(len(turns), len(episodes)),
        "total_episodes": float(len(episodes)),
        "total_turns": float(len(turns)),
        "total_ac_tokens": float(answered),
        "total_ob_tokens": float(read),
        "reward/total": float(np.mean(rewards)) if rewards else 0.0,
        **_means({f"reward/{k}": v for k, v in reward_parts(each).items()} for each in episodes),
        **_means(turn.metrics for turn in turns),
        **_by_group(groups),
    }


def reward_parts(episode: Trajectory) -> dict[str, float]:
    """The sum of each part of an episode's reward over its turns, unweighed."""
    parts: dict[str, float] = defaultdict(float)
    for rewards in (*(turn.rewards for turn in episode.turns), episode.group_rewards):
        for name, value in rewards.items():
            parts[name] += value
    return dict(parts)


def _by_group(groups: Sequence[TrajectoryGroup]) -> dict[str, float]:
    constant = [group.rewards[0] for group in groups if is_constant(group)]
    good = sum(reward >= GOOD for reward in constant)
    return {
        "by_group/frac_mixed": _ratio(len(groups) - len(constant), len(groups)),
        "by_group/frac_all_good": _ratio(good, len(groups)),
        "by_group/frac_all_bad": _ratio(len(constant) - good, len(groups)),
    }


def _means(measured: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each name over those that have it."""
    values: dict[str, list[float]] = defaultdict(list)
    for each in measured:
        for name, value in each.items():
            values[name].append(value)
    return {name: float(np.mean(each)) for name, each in values.items()}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
