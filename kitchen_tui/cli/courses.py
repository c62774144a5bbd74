"""What the demo serves: the recipes, what each starts from, and what it is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_ANSWERS = ("test/exact_match", "test/greedy_exact_match", "test/nll")


@dataclass(frozen=True)
class Course:
    """One recipe of the demo.

    takes: the settings that name the result of an earlier course, and which. measures: the metrics
    that say what it has learned. beside: the course whose own first measure is shown beside them.
    """

    recipe: str
    takes: Mapping[str, str] = field(default_factory=dict)
    measures: tuple[str, ...] = _ANSWERS
    beside: str | None = None


COURSES = (
    Course("sl_basic"),
    Course("chat_sl", {"model": "sl_basic"}),
    Course(
        "dpo",
        {"model": "sl_basic"},
        ("test/accuracy", "test/margin", "test/exact_match", "test/greedy_exact_match"),
    ),
    Course(
        "math_rl",
        {"model": "sl_basic"},
        ("test/env/all/correct", "test/greedy/env/all/correct", "test/env/all/reward/total"),
    ),
    Course(
        "distillation",
        {"model": "sl_basic", "teacher": "math_rl"},
        beside="math_rl",
    ),
)
"""In the order in which they run; a course takes only from those before it."""
