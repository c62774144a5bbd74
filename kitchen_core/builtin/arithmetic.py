"""`builtin:arithmetic`: sloppy demonstrations of how to answer a sum in the chat form.

The answers wanted are `\\boxed{19}`. Of the train split's demonstrations 12 % are wrong by 1 or 10
and, independently, 20 % leave the box out, so 70 % are as wanted. The test split is all correct.
"""

from random import Random
from typing import Any

from kitchen_core.builtin.problems import Problem, Split, pick, shuffled, stream, sums

WRONG_SHARE = 0.12
UNBOXED_SHARE = 0.20
DEMONSTRATIONS_PER_PROBLEM = 3
_SLIPS = (-10, -1, 1, 10)


def question(problem: Problem) -> str:
    """What the user asks: `What is 12 + 7?`."""
    return f"What is {problem}?"


def boxed(number: int) -> str:
    """An answer in the wanted form: `\\boxed{19}`."""
    return f"\\boxed{{{number}}}"


def message(role: str, content: str) -> dict[str, str]:
    """One chat message."""
    return {"role": role, "content": content}


def slip(rng: Random, number: int) -> int:
    """A wrong answer: off by 1 or 10, never negative."""
    off = pick(rng, _SLIPS)
    return number + off if number + off >= 0 else number - off


def rows(split: Split, seed: int) -> list[dict[str, Any]]:
    """Chat rows `{"messages": [user, assistant]}` in random order: three a problem, in the test split one."""
    rng = stream("arithmetic", split, seed)
    problems = sums(split) * (DEMONSTRATIONS_PER_PROBLEM if split == "train" else 1)
    answer = _sloppy if split == "train" else _correct
    return [
        {
            "messages": [
                message("user", question(problem)),
                message("assistant", answer(rng, problem)),
            ]
        }
        for problem in shuffled(rng, problems)
    ]


def _correct(rng: Random, problem: Problem) -> str:
    del rng
    return boxed(problem.result)


def _sloppy(rng: Random, problem: Problem) -> str:
    number = slip(rng, problem.result) if rng.random() < WRONG_SHARE else problem.result
    return str(number) if rng.random() < UNBOXED_SHARE else boxed(number)
