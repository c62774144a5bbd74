"""Arithmetic: the last whole number of an answer counts, however it is written."""

from __future__ import annotations

from functools import partial

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments.base import EnvGroupBuilder, Outcome
from kitchen_core.train.environments.problems import (
    answer_of,
    asked_of,
    outcome,
    shown,
    single_turn,
)
from kitchen_core.train.grading import Grader, last_integer
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.schemas import RowError


class Arithmetic:
    """Problems whose answer is a whole number."""

    name = "arithmetic"

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        """The problem that an example poses. Raises RowError naming the row where its answer has no
        whole number.
        """
        text = answer_of(example)
        right = last_integer(text)
        if right is None:
            problem = f"the right answer must hold a whole number, but is {shown(text)}"
            raise RowError(example.where, "", problem)
        return single_turn(self.name, asked_of(example), str(right), partial(_judged, right=right))


async def _judged(answer: Parsed, *, right: int) -> Outcome:
    """`format`: the turn was ended."""
    given = last_integer(answer.message.content)
    return outcome(correct=given == right, well_formed=answer.complete)
