"""The policy losses as a backend is asked for them, their thresholds always spelled out."""

from __future__ import annotations

import math
from typing import Literal

from kitchen_core.train.types import LossSpec

PolicyLoss = Literal["importance_sampling", "ppo", "cispo", "gspo", "reinforce"]

CLIPS: dict[str, tuple[float, float]] = {
    "ppo": (0.8, 1.2),
    "cispo": (0.0, 4.0),
    "gspo": (0.9997, 1.0004),
}
"""The bounds of the ratio where none are given: Tinker's for ppo and cispo, the paper's for gspo
(2507.18071: 3e-4 below and 4e-4 above 1). Other losses do not clip.
"""


def policy_loss(name: PolicyLoss, low: float | None, high: float | None) -> LossSpec:
    """The loss with its bounds, its own where they are left out."""
    if name not in CLIPS:
        return LossSpec(name)
    bounds = clip_bounds(name, low, high)
    return LossSpec(name, dict(zip(("clip_low", "clip_high"), bounds, strict=True)))


def clip_bounds(name: PolicyLoss, low: float | None, high: float | None) -> tuple[float, float]:
    """What the ratio is clipped to; 0 and infinity for a loss that does not clip."""
    own_low, own_high = CLIPS.get(name, (0.0, math.inf))
    return own_low if low is None else low, own_high if high is None else high
