"""The tokenizer port: text to token ids and back, and the model's own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kitchen_core.train.types import Message


@dataclass(frozen=True, slots=True)
class RenderedChat:
    """A conversation as tokens `[seq]`; `assistant_mask` `[seq]` is None where the template
    marks nothing.
    """

    tokens: list[int]
    assistant_mask: list[bool] | None


class Tokenizer(Protocol):
    """Text to token ids and back."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over vocabulary, special tokens and chat template: equal tokenizers have equal
        ones.
        """
        ...

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The tokens that end a completion."""
        ...

    @property
    def has_chat_template(self) -> bool:
        """Whether the model brings a chat template."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, nothing added."""
        ...

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of `tokens`; `skip_special` leaves out control tokens."""
        ...

    def token_id(self, text: str) -> int | None:
        """The id of a token that the vocabulary lists under exactly this text, special ones
        included; None where it has none.
        """
        ...

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> RenderedChat:
        """The conversation through the model's own template; tools are JSON schemas of functions.

        Raises InvalidRequest where it refuses.
        """
        ...
