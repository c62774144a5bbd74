"""`builtin:preferences`: pairs of answers to a sum, of which one is correct and boxed."""

from random import Random
from typing import Any

from kitchen_core.builtin.arithmetic import boxed, message, question, slip
from kitchen_core.builtin.problems import Problem, Split, shuffled, stream, sums

UNBOXED_SHARE = 0.5
"""Of the rejected answers: correct but without the box. The others are boxed and wrong."""


def rows(split: Split, seed: int) -> list[dict[str, Any]]:
    """Preference rows, one a problem, in random order; all three values are lists of messages.

    `{"prompt": [user], "chosen": [assistant], "rejected": [assistant]}`
    """
    rng = stream("preferences", split, seed)
    return [
        {
            "prompt": [message("user", question(problem))],
            "chosen": [message("assistant", boxed(problem.result))],
            "rejected": [message("assistant", _rejected(rng, problem))],
        }
        for problem in shuffled(rng, sums(split))
    ]


def _rejected(rng: Random, problem: Problem) -> str:
    if rng.random() < UNBOXED_SHARE:
        return str(problem.result)
    return boxed(slip(rng, problem.result))
