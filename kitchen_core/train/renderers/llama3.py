"""The chat form of Llama 3, without the dates that its stock template writes before a system turn."""

from __future__ import annotations

from collections.abc import Sequence

from kitchen_core.train.renderers.base import Parsed, Stop
from kitchen_core.train.renderers.spelled import SpelledRenderer, split_at_end
from kitchen_core.train.types import Message

_BEGIN, _HEADER, _END_HEADER, _END = (
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)


class Llama3Renderer(SpelledRenderer):
    """Role headers between control tokens.

    Llama 3 writes tool calls as bare JSON, which can't be told from an answer that is JSON; they are
    refused.
    """

    name = "llama3"
    extends = True
    control_tokens = (_BEGIN, _HEADER, _END_HEADER, _END)

    @property
    def stop(self) -> Stop:
        """`<|eot_id|>`."""
        return Stop(tokens=(self.control(_END),))

    @property
    def beginning(self) -> list[int]:
        """`<|begin_of_text|>`."""
        return [self.control(_BEGIN)]

    def header(self, role: str, i: int) -> str:
        """The role between its control tokens, and an empty line."""
        del i
        return f"{_HEADER}{role}{_END_HEADER}\n\n"

    def said(self, messages: Sequence[Message], i: int) -> list[int]:
        """The text and `<|eot_id|>`."""
        self._refuse_parts(messages[i])
        return [*self._tokenizer.encode(messages[i].content, literal=True), self.control(_END)]

    def parse(self, completion: Sequence[int]) -> Parsed:
        """The answer; complete where `<|eot_id|>` is its end."""
        said, complete = split_at_end(completion, self.control(_END))
        return Parsed(Message("assistant", self._tokenizer.decode(said)), complete)
