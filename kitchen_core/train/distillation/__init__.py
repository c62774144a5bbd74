"""Learning from a teacher: what of its opinion becomes weights, advantages and targets."""

from kitchen_core.train.distillation.lessons import (
    advantages_from_teacher,
    soft_targets,
    token_mean,
)

__all__ = [
    "advantages_from_teacher",
    "soft_targets",
    "token_mean",
]
