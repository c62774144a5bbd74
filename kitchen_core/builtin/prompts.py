"""`builtin:prompts`: questions without answers, for distillation."""

from typing import Any

from kitchen_core.builtin.arithmetic import boxed, message, question
from kitchen_core.builtin.problems import Split, shuffled, stream, sums


def rows(split: Split, seed: int) -> list[dict[str, Any]]:
    """Chat rows, one a problem, in random order.

    In the train split they are a lone user message, for the teacher to answer; in the test split
    the correct assistant message follows, to measure against.
    """
    rng = stream("prompts", split, seed)
    out: list[dict[str, Any]] = []
    for problem in shuffled(rng, sums(split)):
        messages = [message("user", question(problem))]
        if split == "test":
            messages.append(message("assistant", boxed(problem.result)))
        out.append({"messages": messages})
    return out
