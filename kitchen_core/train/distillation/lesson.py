"""One answer to learn from, and which answers nothing is learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kitchen_core.train.distillation.prompts import Prompt
from kitchen_core.train.types import Datum, FloatArray, Message, StopReason

LeftOut = Literal["empty", "cut_off", "too_long", "refused"]
"""Why nothing is learnt from a teacher's answer: it says nothing, it was cut off at `max_tokens`, the
student can't read it whole, or the teacher would not answer.
"""
LEFT_OUT: tuple[LeftOut, ...] = ("empty", "cut_off", "too_long", "refused")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One answer.

    answer: its tokens `[answer]`, as the student reads them. logprobs: theirs `[answer]` under who
    gave it, where that is known. datum: prompt and answer, whose tokens weigh 1 each. teacher: which
    of the teachers gave it; None: the student, or a chat model. left_out: why nothing is learnt from
    it. refusal: what a chat model said that would not answer.
    """

    prompt: Prompt
    answer: list[int]
    logprobs: FloatArray | None
    datum: Datum | None
    teacher: int | None = None
    left_out: LeftOut | None = None
    refusal: str | None = None


def why_left_out(
    message: Message, stop_reason: StopReason, tokens: int, limit: int
) -> LeftOut | None:
    """Whether a teacher's answer can't be learnt from. tokens: how long it is with its prompt; limit: how
    many the student reads.
    """
    if not (message.content.strip() or message.thinking or message.tool_calls):
        return "empty"
    if stop_reason == "length":
        return "cut_off"
    return "too_long" if tokens > limit else None
