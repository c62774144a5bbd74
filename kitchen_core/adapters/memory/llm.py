"""A chat model that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import NotFound, PortError
from kitchen_core.train.ports.llm import LlmAnswer
from kitchen_core.train.types import Message

MODEL = "parrot"
"""The one model that there is unless others are put in."""

Says = Callable[[str], str]
"""From the last turn's text to the answer."""


class MemoryLlm:
    """Models by name. Each answers the same to the same, cut after `max_tokens` words.

    Faults are raised first, one a question, in their order.
    """

    concurrency = 4

    def __init__(self, models: Mapping[str, Says] | None = None) -> None:
        self._models = dict(models or {MODEL: lambda asked: asked})
        self._faults: list[PortError] = []

    def fail(self, *faults: PortError) -> None:
        """Answer the next questions with these."""
        self._faults.extend(faults)

    async def answer(
        self, model: str, conversation: Conversation, *, max_tokens: int, temperature: float
    ) -> LlmAnswer:
        """What the model says to the last turn. Raises the next fault, or NotFound."""
        del temperature  # it always says the same
        where = {"port": "llm", "adapter": "memory", "asked": f"an answer of {model}"}
        if self._faults:
            fault = self._faults.pop(0)
            fault.port, fault.adapter, fault.asked = where["port"], where["adapter"], where["asked"]
            raise fault
        if model not in self._models:
            hint = f"There is {', '.join(self._models)}."
            raise NotFound("there is no such model", hint=hint, **where)
        words = self._models[model](conversation.messages[-1].content).split(" ")
        message = Message("assistant", " ".join(words[:max_tokens]))
        return LlmAnswer(message, "length" if len(words) > max_tokens else "stop")

    async def close(self) -> None:
        """Nothing to give back."""
