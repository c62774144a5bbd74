"""From a row to a question that student and teacher are asked."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.distillation.teacher_prompt import filled_in
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.renderers import Renderer, RenderError


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question.

    asked: the conversation up to it. tokens: `[prompt]` what the student reads. teacher_asked,
    teacher_tokens: what the teacher reads, the same but for a teacher prompt. dataset: which of the
    run's sets it is from, 0 being `dataset`.
    """

    asked: Conversation
    tokens: list[int]
    teacher_asked: Conversation
    teacher_tokens: list[int]
    dataset: int

    @property
    def where(self) -> str:
        """The row's place, for messages to people."""
        return self.asked.where

    @property
    def question(self) -> str:
        """What was asked last, for people."""
        return self.asked.messages[-1].content


@dataclass(frozen=True)
class Asking:
    """How conversations become prompts, and which are too long to.

    max_length: a prompt of so many tokens or more is left out, for it can't be cut without becoming
    another one. context_length: the most that a model reads; a teacher's prompt needs room beside it
    for an answer of `max_tokens`, the student's being cut where the room ends.
    """

    renderer: Renderer
    teacher_prompt: str | None
    max_length: int
    max_tokens: int
    context_length: int

    @property
    def fingerprint(self) -> str:
        """What a prompt depends on, but for the code."""
        limits = [self.max_length, self.max_tokens, self.context_length]
        return sha256_of_json([self.renderer.fingerprint, self.teacher_prompt, *limits])

    def prompt(self, conversation: Conversation, dataset: int) -> Prompt:
        """The conversation's question. Raises RenderError naming the row, and ValueError where the
        teacher's prompt wants an answer that it lacks.
        """
        asked = conversation.question
        tokens = self._rendered(asked)
        if self.teacher_prompt is None:
            return Prompt(asked, tokens, asked, tokens, dataset)
        taught = filled_in(self.teacher_prompt, conversation)
        return Prompt(asked, tokens, taught, self._rendered(taught), dataset)

    def fits(self, prompt: Prompt) -> bool:
        """Whether student and teacher can read it."""
        if len(prompt.tokens) >= self.max_length:
            return False
        if self.teacher_prompt is None:
            return True
        return len(prompt.teacher_tokens) + self.max_tokens <= self.context_length

    def _rendered(self, conversation: Conversation) -> list[int]:
        try:
            return self.renderer.prompt(conversation)
        except RenderError as error:
            raise RenderError(f"{conversation.where}: {error}") from None
