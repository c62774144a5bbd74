r"""Mathematics: the answer is what is in the last `\boxed{}`, and whoever grades says whether it is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from kitchen_core.train.grading import (
    Grader,
    UnreadableGold,
    behind_hashes,
    is_readable,
    last_boxed,
)
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.schemas import RowError


@dataclass(frozen=True, slots=True)
class BoxedMath:
    r"""Problems whose answer belongs in a box.

    read_gold: the right answer of a dataset's own, None where it holds none; said: what it should hold, for
    messages. suffix: what is put behind every question, to ask for the box; data that teaches boxes needs
    none. Another suffix is another environment:
    `register_environment(replace(MATH, name="math_boxed", suffix=SUFFIX))`.
    """

    name: str
    read_gold: Callable[[str], str | None]
    said: str
    suffix: str = ""

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        """The problem that an example poses. Raises RowError naming the row where its answer can't be
        read.
        """
        text = answer_of(example)
        gold = self.read_gold(text)
        if gold is None or not is_readable(gold):
            raise RowError(example.where, "", f"{self.said}, but the answer is {shown(text)}")
        judge = partial(_judged, gold=gold.strip(), grader=grader, where=example.where)
        return single_turn(self.name, asked_of(example, self.suffix), gold.strip(), judge)


def _boxed_or_whole(text: str) -> str:
    boxed = last_boxed(text)
    return text if boxed is None else boxed


SUFFIX = r" Write your answer in \boxed{} format."
"""What tinker-cookbook puts behind a question."""

MATH = BoxedMath("math", _boxed_or_whole, r"the right answer must be in \boxed{} or stand alone")
GSM8K = BoxedMath("gsm8k", behind_hashes, "the right answer must stand behind ####", SUFFIX)


async def _judged(answer: Parsed, *, gold: str, grader: Grader, where: str) -> Outcome:
    """`correct`: the boxed answer is right. `format`: there is one, and the turn was ended.

    Metrics: `unparseable`, the box holds nothing that can be read; `failed`, the verifier could not say.
    Such answers count as not correct.
    """
    given = last_boxed(answer.message.content)
    if given is None:
        return outcome(correct=False, well_formed=False, unparseable=0.0, failed=0.0)
    try:
        (verdict,) = await grader.grade([(gold, given)])
    except UnreadableGold as error:
        raise UnreadableGold(f"{where}: {error}") from error
    return outcome(
        correct=verdict == "right",
        well_formed=answer.complete,
        unparseable=float(verdict == "unparseable"),
        failed=float(verdict == "failed"),
    )
