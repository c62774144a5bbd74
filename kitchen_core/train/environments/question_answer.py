"""Any question and answer: the answer counts where it is the right one, word for word."""

from __future__ import annotations

from functools import partial

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments.base import EnvGroupBuilder, Outcome
from kitchen_core.train.environments.problems import answer_of, asked_of, outcome, single_turn
from kitchen_core.train.grading import Grader
from kitchen_core.train.renderers import Parsed


class QuestionAnswer:
    """Problems whose answer is a text; space around it does not count."""

    name = "question_answer"

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        """The problem that an example poses. Raises RowError naming the row where it has no answer."""
        right = answer_of(example).strip()
        return single_turn(self.name, asked_of(example), right, partial(_judged, right=right))


async def _judged(answer: Parsed, *, right: str) -> Outcome:
    """`format`: the turn was ended."""
    said = answer.message.content.strip()
    return outcome(correct=said == right, well_formed=answer.complete)
