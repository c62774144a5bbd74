"""What a dataset's row holds: a conversation with the tools that it may call, two of them of which one
is better, or a plain document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kitchen_core.train.types import Message


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns of one row.

    where: the row's place, for messages to people. tools: the functions that the assistant may call,
    as OpenAI and chat templates spell them: `{"type": "function", "function": {"name": ...}}`.
    """

    messages: tuple[Message, ...]
    where: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def prompt(self) -> Conversation:
        """The turns before the last answer."""
        return self.upto(self._last_answer())

    @property
    def question(self) -> Conversation:
        """The turns up to the last one that is not the assistant's: what there is to answer, whether
        or not the data brings an answer.
        """
        ends = (i for i, message in enumerate(self.messages) if message.role != "assistant")
        return self.upto(max(ends) + 1)

    @property
    def answer(self) -> Message:
        """The last answer."""
        return self.messages[self._last_answer()]

    @property
    def reply(self) -> Message | None:
        """What the data answers to the `question`; None where it ends with the question."""
        return self.messages[-1] if self.messages[-1].role == "assistant" else None

    def upto(self, end: int) -> Conversation:
        """The first `end` turns."""
        return replace(self, messages=self.messages[:end])

    def _last_answer(self) -> int:
        return max(i for i, message in enumerate(self.messages) if message.role == "assistant")


@dataclass(frozen=True, slots=True)
class Document:
    """The plain text of one row, without turns. where: the row's place, for messages to people."""

    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two continuations of one prompt, of which one is preferred. Both conversations begin with it.

    where: the row's place, for messages to people.
    """

    chosen: Conversation
    rejected: Conversation
    where: str = ""

    @property
    def prompt(self) -> Conversation:
        """The turns that both begin with; at least one turn of each is not among them."""
        return self.chosen.upto(shared_turns(self.chosen, self.rejected))


def shared_turns(one: Conversation, other: Conversation) -> int:
    """How many turns two conversations begin with alike, at least the last of each left out."""
    most = min(len(one.messages), len(other.messages)) - 1
    alike = zip(one.messages[:most], other.messages[:most], strict=True)
    return next((i for i, (a, b) in enumerate(alike) if a != b), most)


Example = Conversation | Document
