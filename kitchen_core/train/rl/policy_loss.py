"""The policy losses as a backend is asked for them, their thresholds always spelled out."""

from __future__ import annotations

import math
from typing import Literal

from kitchen_core.train.types import LossSpec

PolicyLoss = Literal[
    "importance_sampling", "ppo", "cispo", "dro", "gspo", "stable_reinforce", "reinforce"
]

CLIPS: dict[str, tuple[float, float]] = {
    "ppo": (0.8, 1.2),
    "cispo": (0.0, 4.0),
    "gspo": (0.9997, 1.0004),
}
"""The bounds of the ratio where none are given: Tinker's for ppo and cispo, the paper's for gspo
(2507.18071: 3e-4 below and 4e-4 above 1).
"""

DRO_BETA = 0.01
"""How much dro's square weighs where nothing is said, as in TuFT."""

CLIPPING = (*CLIPS, "stable_reinforce")
"""The losses that clip. stable_reinforce has no bounds of its own: they have to be given."""


def policy_loss(
    name: PolicyLoss, low: float | None, high: float | None, beta: float | None = None
) -> LossSpec:
    """The loss with its options; those that are left out are the loss's own. beta: of dro."""
    if name == "dro":
        return LossSpec(name, {"beta": DRO_BETA if beta is None else beta})
    if name not in CLIPPING:
        return LossSpec(name)
    bounds = clip_bounds(name, low, high)
    return LossSpec(name, dict(zip(("clip_low", "clip_high"), bounds, strict=True)))


def clip_bounds(name: PolicyLoss, low: float | None, high: float | None) -> tuple[float, float]:
    """What the ratio is clipped to; 0 and infinity for a loss that does not clip."""
    own_low, own_high = CLIPS.get(name, (0.0, math.inf))
    return own_low if low is None else low, own_high if high is None else high
