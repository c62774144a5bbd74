"""The problems that all embedded data is made of, and which of them are held out."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal, TypeVar

Split = Literal["train", "test"]
Operator = Literal["+", "-"]
Item = TypeVar("Item")

LARGEST_OPERAND = 50
"""Sums are `a + b` with both operands in 0..LARGEST_OPERAND."""
STEPS = (1, 10)
"""What a follow-up adds or takes away."""
LARGEST_RESULT = 2 * LARGEST_OPERAND
_HELD_OUT_BYTES = 51  # of 256: 20 %


@dataclass(frozen=True, slots=True)
class Problem:
    """One addition or subtraction of whole numbers."""

    left: int
    operator: Operator
    right: int

    @property
    def result(self) -> int:
        """The correct answer."""
        return self.left + self.right if self.operator == "+" else self.left - self.right

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@cache
def held_out(problem: Problem) -> bool:
    """Whether a problem belongs to the test split; `a + b` and `b + a` always go together.

    The choice is a hash of the problem: no seed moves a problem from one split to the other. Every
    data set and the base model's own training text keep to it.
    """
    operands = [problem.left, problem.right]
    if problem.operator == "+":
        operands.sort()
    name = f"{operands[0]}{problem.operator}{operands[1]}"
    return hashlib.sha256(name.encode()).digest()[0] < _HELD_OUT_BYTES


@cache
def sums(split: Split) -> tuple[Problem, ...]:
    """Every `a + b` with operands in 0..50 of one split (about 2,080 train, 520 test)."""
    numbers = range(LARGEST_OPERAND + 1)
    every = (Problem(left, "+", right) for left in numbers for right in numbers)
    return tuple(problem for problem in every if held_out(problem) == (split == "test"))


@cache
def steps(start: int, split: Split) -> tuple[Problem, ...]:
    """Every `start + c` and `start - c`, c of STEPS, of one split whose result is in 0..100."""
    every = (Problem(start, op, c) for op in ("+", "-") for c in STEPS)
    return tuple(
        problem
        for problem in every
        if 0 <= problem.result <= LARGEST_RESULT and held_out(problem) == (split == "test")
    )


def stream(name: str, split: Split, seed: int) -> Random:
    """The random stream of one data set; the same on every machine and Python version.

    Callers draw with `random()` alone, the one method whose values Python promises to keep.
    """
    return Random(f"builtin:{name}/{split}/{seed}")


def pick(rng: Random, items: Sequence[Item]) -> Item:
    """One item, each as likely."""
    return items[int(rng.random() * len(items))]


def shuffled(rng: Random, items: Sequence[Item]) -> list[Item]:
    """A copy of the items in random order."""
    return sorted(items, key=lambda _: rng.random())
