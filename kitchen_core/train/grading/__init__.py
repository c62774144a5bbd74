"""Grading: reading an answer out of a text, and what it means for it to be right."""

from kitchen_core.train.grading.base import Grader, UnreadableGold, Verdict
from kitchen_core.train.grading.certain import certain_verdict, is_readable
from kitchen_core.train.grading.extraction import (
    behind_hashes,
    last_boxed,
    last_integer,
    last_number,
)
from kitchen_core.train.grading.normalization import normalize_answer

__all__ = [
    "Grader",
    "UnreadableGold",
    "Verdict",
    "behind_hashes",
    "certain_verdict",
    "is_readable",
    "last_boxed",
    "last_integer",
    "last_number",
    "normalize_answer",
]
