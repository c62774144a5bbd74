"""The LLM port: a chat model behind somebody's API, which gives text and nothing more."""

from __future__ import annotations

from typing import Protocol

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.types import Message


class LlmClient(Protocol):
    """Answers conversations."""

    async def answer(
        self, model: str, conversation: Conversation, *, max_tokens: int, temperature: float
    ) -> Message:
        """The assistant's next turn, by the model of that name.

        Raises AuthError, RateLimited, Unavailable, Timeout, NotFound or InvalidRequest.
        """
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...
