"""`builtin:chat`: a sum, then a follow-up on its result that only the conversation explains."""

from random import Random
from typing import Any

from kitchen_core.builtin.arithmetic import boxed, message, question
from kitchen_core.builtin.problems import Problem, Split, pick, shuffled, steps, stream, sums

CONVERSATIONS_PER_PROBLEM = {"train": 3, "test": 1}
_ASKS = {"+": "And {} more?", "-": "And {} less?"}


def follow_up(step: Problem) -> str:
    """What the user asks next: `And 10 more?` or `And 1 less?`."""
    return _ASKS[step.operator].format(step.right)


def rows(split: Split, seed: int) -> list[dict[str, Any]]:
    """Chat rows `{"messages": [user, assistant, user, assistant]}`, all correct, in random order.

    In the test split the sum as well as the follow-up (`19 + 10`, say) is held out.
    """
    rng = stream("chat", split, seed)
    firsts = [problem for problem in sums(split) if steps(problem.result, split)]
    return [
        _conversation(rng, first, split)
        for first in shuffled(rng, firsts * CONVERSATIONS_PER_PROBLEM[split])
    ]


def _conversation(rng: Random, first: Problem, split: Split) -> dict[str, Any]:
    then = pick(rng, steps(first.result, split))
    return {
        "messages": [
            message("user", question(first)),
            message("assistant", boxed(first.result)),
            message("user", follow_up(then)),
            message("assistant", boxed(then.result)),
        ]
    }
