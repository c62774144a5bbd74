"""What renderers share that spell each turn by themselves: a sequence is its turns, end to end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.renderers.base import (
    Parsed,
    Rendered,
    RenderError,
    Stop,
    TrainOnWhat,
)
from kitchen_core.train.renderers.turns import one_per_trained_turn, trained_turns
from kitchen_core.train.types import Message

CHATML = ("<|im_start|>", "<|im_end|>")
"""The tokens of the forms that spell thoughts, tools and calls."""


class SpelledRenderer(ABC):
    """A conversation as `beginning`, then for each turn a header, which the model is given, and what
    is said, which it can be trained on.

    What people wrote is spelled literally: a control token that stands in it stays ordinary text.
    """

    name: ClassVar[str]
    extends: ClassVar[bool]
    control_tokens: ClassVar[tuple[str, ...]] = ()
    """Tokens without which the renderer can't spell."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        missing = [text for text in self.control_tokens if tokenizer.token_id(text) is None]
        if missing:
            raise RenderError(
                f"renderer={self.name} needs the tokens {' '.join(missing)}, which this model's "
                "tokenizer has not; set renderer=auto"
            )
        self._tokenizer = tokenizer
        self._headers: dict[str, list[int]] = {}

    @property
    def fingerprint(self) -> str:
        """The renderer and the tokenizer."""
        return f"{self.name}:{self._tokenizer.fingerprint}"

    @property
    @abstractmethod
    def stop(self) -> Stop:
        """What ends an assistant's turn."""

    @property
    def beginning(self) -> list[int]:
        """The tokens before the first turn; never trained."""
        return []

    @abstractmethod
    def header(self, role: str, i: int) -> str:
        """What introduces turn `i` (from 0)."""

    @abstractmethod
    def said(self, messages: Sequence[Message], i: int) -> list[int]:
        """What is said in turn `i`, its end included. Raises RenderError where it can't be spelled."""

    @abstractmethod
    def parse(self, completion: Sequence[int]) -> Parsed:
        """The assistant's message that a completion holds."""

    def turns(self, conversation: Conversation) -> tuple[Message, ...]:
        """The turns to spell; a renderer puts here what has no other place, such as the tools.

        Raises RenderError for tools that the renderer has no form for.
        """
        if conversation.tools:
            raise self._without_form("tools")
        return conversation.messages

    def overlap(self, message: Message) -> list[int]:
        """What a last turn's end shares with the header that would follow it."""
        del message
        return []

    def prompt(self, conversation: Conversation) -> list[int]:
        """The conversation so far, ready for the assistant to go on: `[seq]`."""
        messages = self.turns(conversation)
        tokens = list(self.beginning)
        for i, message in enumerate(messages):
            tokens += self._header(message.role, i)
            tokens += self.said(messages, i)
        return tokens + self._header("assistant", len(messages))

    def supervised(self, conversation: Conversation, train_on: TrainOnWhat) -> Rendered:
        """The whole conversation as one sequence with the trained tokens marked.

        Headers are trained by all_tokens alone. Raises RenderError.
        """
        messages = self.turns(conversation)
        tokens = list(self.beginning)
        trained = [False] * len(tokens)
        for i, on in enumerate(trained_turns(messages, train_on)):
            header, said = self._header(messages[i].role, i), self.said(messages, i)
            if i == len(messages) - 1:
                said = said + self.overlap(messages[i])
            tokens += header + said
            trained += [train_on == "all_tokens"] * len(header) + [on] * len(said)
        return Rendered(tokens, trained)

    def examples(self, conversation: Conversation, train_on: TrainOnWhat) -> list[Rendered]:
        """The sequences to train on. Raises RenderError."""
        if self.extends:
            return [self.supervised(conversation, train_on)]
        return one_per_trained_turn(conversation, train_on, self.supervised)

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as a person would read them: control tokens left out."""
        return self._tokenizer.decode(tokens, skip_special=True)

    def control(self, text: str) -> int:
        """The id of one of `control_tokens`."""
        token = self._tokenizer.token_id(text)
        assert token is not None, text  # looked for when the renderer was made
        return token

    def _header(self, role: str, i: int) -> list[int]:
        text = self.header(role, i)
        if text not in self._headers:
            self._headers[text] = self._tokenizer.encode(text)
        return self._headers[text]

    def _refuse_parts(self, message: Message) -> None:
        """For renderers that know text alone."""
        if message.tool_calls:
            raise self._without_form("tool calls")
        if message.thinking:
            raise self._without_form("thinking")

    def _without_form(self, what: str) -> RenderError:
        """Names the renderers that can do more, of those that the tokenizer can serve."""
        others = ["auto"] if self._tokenizer.has_chat_template else []
        if all(self._tokenizer.token_id(text) is not None for text in CHATML):
            others.append("qwen3")
        remedy = f"set renderer={' or '.join(others)}" if others else "take another model"
        return RenderError(
            f"renderer={self.name} has no form for {what}; {remedy}, or leave them out"
        )


def split_at_end(completion: Sequence[int], end: int) -> tuple[Sequence[int], bool]:
    """A completion up to its first `end` token, and whether it ended there and nowhere else."""
    if end not in completion:
        return completion, False
    at = list(completion).index(end)
    return completion[:at], at == len(completion) - 1
