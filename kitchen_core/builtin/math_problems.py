"""`builtin:math`: sums as questions with a reference answer, for reinforcement learning."""

from typing import Any

from kitchen_core.builtin.arithmetic import boxed, question
from kitchen_core.builtin.problems import Split, shuffled, stream, sums


def rows(split: Split, seed: int) -> list[dict[str, Any]]:
    """Rows `{"question": "What is 12 + 7?", "answer": "\\\\boxed{19}"}`, one a problem, in random order."""
    rng = stream("math", split, seed)
    return [
        {"question": question(problem), "answer": boxed(problem.result)}
        for problem in shuffled(rng, sums(split))
    ]
