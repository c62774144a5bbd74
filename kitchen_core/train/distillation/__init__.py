"""Learning from a teacher: what of its opinion becomes weights, advantages and targets."""

from kitchen_core.train.distillation.lessons import (
    advantages_from_teacher,
    soft_targets,
    token_mean,
)
from kitchen_core.train.distillation.tokenization import TokenizationDiffers, check_tokenization

__all__ = [
    "TokenizationDiffers",
    "advantages_from_teacher",
    "check_tokenization",
    "soft_targets",
    "token_mean",
]
