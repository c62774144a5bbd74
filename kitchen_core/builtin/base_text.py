"""The text that the base model is trained on: sums as plain lines and worksheets, never as chat."""

from random import Random

from kitchen_core.builtin.arithmetic import boxed, question
from kitchen_core.builtin.chat import follow_up
from kitchen_core.builtin.problems import pick, steps, sums

Piece = tuple[str, bool]
"""A piece of text, and whether it is an answer: what the base is trained to write."""


def plain(rng: Random) -> list[Piece]:
    """`12 + 7 = 19` and a line end, over the sums of the train split."""
    problem = pick(rng, sums("train"))
    return [(f"{problem} = ", False), (f"{problem.result}\n", True)]


def worksheet(rng: Random) -> list[Piece]:
    """A question, its boxed answer on the next line, and a blank line."""
    problem = pick(rng, sums("train"))
    return [(f"{question(problem)}\n", False), (f"{boxed(problem.result)}\n\n", True)]


def long_worksheet(rng: Random) -> list[Piece]:
    """A worksheet with a follow-up on its result: `And 10 more?`."""
    first = pick(rng, sums("train"))
    then = pick(rng, steps(first.result, "train"))
    return [
        (f"{question(first)}\n", False),
        (f"{boxed(first.result)}\n\n", True),
        (f"{follow_up(then)}\n", False),
        (f"{boxed(then.result)}\n\n", True),
    ]
