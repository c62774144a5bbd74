"""Learning-rate schedules, as multipliers of the peak rate."""

from __future__ import annotations

import math
from typing import Literal

LrSchedule = Literal["constant", "linear", "cosine"]


def lr_multiplier(
    schedule: LrSchedule,
    step: int,
    total_steps: int,
    warmup_steps: int = 0,
    min_lr_ratio: float = 0.0,
) -> float:
    """The factor for 0-based `step` of `total_steps`.

    A linear warm-up comes first: (step + 1) / warmup_steps, so that no step is wasted at 0. Then
    `linear` is 1 - t and `cosine` is (1 + cos(pi t)) / 2, where t runs from 0 at the end of the
    warm-up to 1 at `total_steps` (tinker-cookbook's `compute_schedule_lr_multiplier` with a warm-up
    before it). min_lr_ratio: where the two end instead of at 0, m + (1 - m) * factor (transformers'
    `min_lr_rate`).
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return min_lr_ratio + (1.0 - min_lr_ratio) * _decay(schedule, done)


def _decay(schedule: LrSchedule, done: float) -> float:
    """From 1 to 0 as `done` goes from 0 to 1; `constant` stays."""
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - done
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * done))
