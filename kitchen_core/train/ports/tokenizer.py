"""The tokenizer port: text to token ids and back, and the model's own chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kitchen_core.train.types import Message

Span = tuple[int, int]
"""Where a piece of a text begins and, exclusive, ends, in characters."""


@dataclass(frozen=True, slots=True)
class ChatText:
    """A conversation as the model's template writes it. said: where the template marks what the
    assistant says; None where it marks nothing.
    """

    text: str
    said: tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text's tokens `[seq]`, and the characters that each one covers `[seq]`.

    Tokens that share a character cover it each; together they cover the whole text.
    """

    tokens: list[int]
    spans: list[Span]


class Tokenizer(Protocol):
    """Text to token ids and back."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that the tokens of a text or a chat depend on: equal tokenizers have
        equal ones, different tokenizers different ones.
        """
        ...

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The tokens that end a completion."""
        ...

    @property
    def bos_token_id(self) -> int | None:
        """The token that texts begin with, where the model has one."""
        ...

    @property
    def has_chat_template(self) -> bool:
        """Whether the model brings a chat template."""
        ...

    def encode(self, text: str, *, literal: bool = False) -> list[int]:
        """Token ids of `text`, nothing added.

        literal: spell control tokens that stand in the text as the ordinary text that they are.
        """
        ...

    def encode_with_spans(self, text: str) -> Encoded:
        """Token ids of `text`, nothing added, each with the characters that it covers."""
        ...

    def decode(self, tokens: Sequence[int], *, skip_special: bool = False) -> str:
        """The text of `tokens`; `skip_special` leaves out control tokens."""
        ...

    def token_id(self, text: str) -> int | None:
        """The id of a token that the vocabulary lists under exactly this text, special ones
        included; None where it has none.
        """
        ...

    def chat_text(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> ChatText:
        """The conversation through the model's own template; tools are JSON schemas of functions.

        Raises InvalidRequest where it refuses.
        """
        ...
