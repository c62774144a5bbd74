"""What every renderer is: a conversation as tokens, with a mark on those that are trained, and a
completion read back as a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.types import Message

TrainOnWhat = Literal[
    "last_assistant_message",
    "last_assistant_turn",
    "all_assistant_messages",
    "all_messages",
    "all_tokens",
    "all_user_and_system_messages",
    "customized",
]
"""Which tokens are trained, as tinker-cookbook names the choices. `customized`: the messages whose
`trainable` is true.
"""


class RenderError(ValueError):
    """A conversation that can't be rendered soundly."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation's tokens `[seq]` and, for each, whether it is trained `[seq]`."""

    tokens: list[int]
    trained: list[bool]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A completion as a message. complete: whether it ended its turn and was well-formed."""

    message: Message
    complete: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """What ends an assistant's turn: tokens, or texts for models without such a token."""

    tokens: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()


class Renderer(Protocol):
    """One way of spelling conversations for a model."""

    @property
    def name(self) -> str:
        """The name it is registered under."""
        ...

    @property
    def extends(self) -> bool:
        """Whether a longer conversation's tokens begin with those of a shorter one."""
        ...

    @property
    def fingerprint(self) -> str:
        """What the rendering depends on: the renderer, its settings, the tokenizer."""
        ...

    @property
    def stop(self) -> Stop:
        """What ends an assistant's turn."""
        ...

    def prompt(self, conversation: Conversation) -> list[int]:
        """The conversation so far, ready for the assistant to go on: `[seq]`."""
        ...

    def supervised(self, conversation: Conversation, train_on: TrainOnWhat) -> Rendered:
        """The whole conversation as one sequence with the trained tokens marked.

        Raises RenderError.
        """
        ...

    def examples(self, conversation: Conversation, train_on: TrainOnWhat) -> list[Rendered]:
        """The sequences to train on: one, or, where the renderer does not extend, one for each
        trained turn, as the model will see it when it answers. Raises RenderError.
        """
        ...

    def parse(self, completion: Sequence[int]) -> Parsed:
        """The assistant's message that a completion holds."""
        ...

    def text(self, tokens: Sequence[int]) -> str:
        """Tokens as a person would read them: control tokens left out."""
        ...
