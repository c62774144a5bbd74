"""The held-out examples, as evaluation asks the model about them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from kitchen_core.stages.preparing import Preparing
from kitchen_core.train.conversations import Conversation, Document, Example
from kitchen_core.train.datums import datum_from_rendered
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.types import Datum, Message

E = TypeVar("E")


@dataclass(frozen=True)
class HeldOut:
    """What evaluation measures on. Only conversations have a prompt; a plain text has datums alone.

    prompts: token ids `[prompt]` of each. questions: the user's turns in each prompt, for people.
    answers: the turn expected. fingerprint: SHA-256 over the tokens, what of them is trained, and
    the answers.
    """

    datums: list[Datum]
    prompts: list[list[int]]
    questions: list[str]
    answers: list[Message]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        """Take the fingerprint once: every checkpoint asks for it."""
        answers = [answer.to_json() for answer in self.answers]
        texts = [self.prompts, self.questions, answers]
        found = sha256_of_json([sha256_of_datums(self.datums), *texts])
        object.__setattr__(self, "fingerprint", found)


def held_out(examples: Sequence[Example], preparation: Preparation) -> tuple[HeldOut, list[str]]:
    """Held-out examples rendered for loss and for sampling, and what there is to say of those that
    are not measured.

    A question can't be cut without becoming another one, so those that fill `max_length` are left
    out.
    """
    datums: list[Datum] = []
    asked: list[tuple[list[int], str, Message]] = []
    too_long, untrained = 0, 0
    for example in examples:
        prompt = _prompt(example, preparation.renderer)
        if prompt is not None and len(prompt) >= preparation.max_length:
            too_long += 1
            continue
        sequences = preparation.sequences(example)
        untrained += not sequences
        datums.extend(datum_from_rendered(each) for each in sequences)
        if isinstance(example, Conversation) and prompt is not None:
            asked.append((prompt, question_of(example), example.answer))
    measured = HeldOut(
        datums,
        [prompt for prompt, _, _ in asked],
        [question for _, question, _ in asked],
        [answer for _, _, answer in asked],
    )
    return measured, not_measured(len(examples), too_long, untrained, preparation)


def _prompt(example: Example, renderer: Renderer) -> list[int] | None:
    return None if isinstance(example, Document) else renderer.prompt(example.prompt)


def question_of(conversation: Conversation) -> str:
    """What the user said before the answer, turn by turn: a follow-up says little alone."""
    turns = conversation.prompt.messages
    return " … ".join(turn.content for turn in turns if turn.role == "user")


def not_measured(count: int, too_long: int, untrained: int, preparation: Preparing[E]) -> list[str]:
    """What there is to say where some of the held-out rows are not measured."""
    found = []
    if too_long:
        found.append(
            f"{too_long} of {count} held-out rows have a prompt of max_length={preparation.max_length} "
            "tokens or more and are not measured"
        )
    if untrained:
        found.append(
            f"{untrained} of {count} held-out rows have {preparation.lacking} within "
            f"max_length={preparation.max_length} and are left out of the loss"
        )
    return found


def sha256_of_datums(datums: Sequence[Datum]) -> str:
    """SHA-256 over tokens, targets and weights."""
    digest = hashlib.sha256()
    for datum in datums:
        digest.update(len(datum).to_bytes(8, "little"))
        for array in (datum.tokens, datum.targets, datum.weights):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
