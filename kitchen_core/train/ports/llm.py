"""The LLM port: a chat model behind somebody's API, which gives text and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.types import Message, StopReason


@dataclass(frozen=True, slots=True)
class LlmAnswer:
    """The assistant's next turn. stop_reason: `length` where it was cut off at `max_tokens`."""

    message: Message
    stop_reason: StopReason


class LlmClient(Protocol):
    """Answers conversations."""

    @property
    def concurrency(self) -> int:
        """How many conversations to ask about at the same time."""
        ...

    async def answer(
        self, model: str, conversation: Conversation, *, max_tokens: int, temperature: float
    ) -> LlmAnswer:
        """The assistant's next turn, by the model of that name.

        Raises AuthError, RateLimited, Unavailable, Timeout, NotFound, or InvalidRequest where it won't
        answer this conversation.
        """
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...
