"""A conversation: the turns of one row, the tools that it may call, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kitchen_core.train.types import Message


@dataclass(frozen=True, slots=True)
class Conversation:
    """The turns of one row.

    where: the row's place, for messages to people. tools: JSON schemas of the functions that the
    assistant may call.
    """

    messages: tuple[Message, ...]
    where: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def prompt(self) -> Conversation:
        """The turns before the last answer."""
        return self.upto(self._last_answer())

    @property
    def answer(self) -> Message:
        """The last answer."""
        return self.messages[self._last_answer()]

    def upto(self, end: int) -> Conversation:
        """The first `end` turns."""
        return replace(self, messages=self.messages[:end])

    def _last_answer(self) -> int:
        return max(i for i, message in enumerate(self.messages) if message.role == "assistant")
