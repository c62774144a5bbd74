"""Groups of episodes as plain data, so that a checkpoint can hold them: JSON, exact to the bit."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup, Turn
from kitchen_core.train.types import FloatArray, Sample


def group_to_plain(group: TrajectoryGroup) -> dict[str, Any]:
    """The group as JSON."""
    return {
        "trajectories": [_trajectory_to_plain(each) for each in group.trajectories],
        "tags": list(group.tags),
        "where": group.where,
        "question": group.question,
        "reward_weights": dict(group.reward_weights),
    }


def group_from_plain(plain: dict[str, Any]) -> TrajectoryGroup:
    """The group that `group_to_plain` wrote."""
    trajectories = tuple(_trajectory_from_plain(each) for each in plain["trajectories"])
    return TrajectoryGroup(**{**plain, "trajectories": trajectories, "tags": tuple(plain["tags"])})


def _trajectory_to_plain(trajectory: Trajectory) -> dict[str, Any]:
    return {
        "turns": [_turn_to_plain(turn) for turn in trajectory.turns],
        "version": trajectory.version,
        "group_rewards": dict(trajectory.group_rewards),
        "error": trajectory.error,
    }


def _trajectory_from_plain(plain: dict[str, Any]) -> Trajectory:
    return Trajectory(**{**plain, "turns": tuple(map(_turn_from_plain, plain["turns"]))})


def _turn_to_plain(turn: Turn) -> dict[str, Any]:
    return {
        "prompt": list(turn.prompt),
        "tokens": list(turn.sample.tokens),
        "logprobs": _bytes_to_text(turn.sample.logprobs),
        "stop_reason": turn.sample.stop_reason,
        "rewards": dict(turn.rewards),
        "metrics": dict(turn.metrics),
        "told": turn.told,
    }


def _turn_from_plain(plain: dict[str, Any]) -> Turn:
    logprobs = _text_to_floats(plain["logprobs"])
    sample = Sample(plain["tokens"], logprobs, plain["stop_reason"])
    kept = {name: plain[name] for name in ("prompt", "rewards", "metrics", "told")}
    return Turn(sample=sample, **kept)


def _bytes_to_text(values: FloatArray) -> str:
    """Base64 of little-endian float32: exact, and a quarter of the digits."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def _text_to_floats(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
