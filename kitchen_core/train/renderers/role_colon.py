"""`User: ...`, `Assistant: ...`: plain text, for base models that have learned no other form."""

from __future__ import annotations

from collections.abc import Sequence

from kitchen_core.train.renderers.base import Parsed, Stop
from kitchen_core.train.renderers.spelled import SpelledRenderer
from kitchen_core.train.types import Message

_END = "\n\n"
_NEXT_HEADER = "User:"


class RoleColonRenderer(SpelledRenderer):
    """Turns as paragraphs. An answer ends with the header of the user's next turn, since plain text
    has no token for it; in a sequence that header stands behind the last answer, trained with it.
    """

    name = "role_colon"
    extends = True

    @property
    def stop(self) -> Stop:
        """The header of the next turn, or the token that ends any text."""
        return Stop(tokens=self._tokenizer.eos_token_ids, texts=(_END + _NEXT_HEADER,))

    @property
    def beginning(self) -> list[int]:
        """The token that texts begin with, where the model has one."""
        begin = self._tokenizer.bos_token_id
        return [] if begin is None else [begin]

    def header(self, role: str, i: int) -> str:
        """`User:` and so on."""
        del i
        return f"{role.capitalize()}:"

    def said(self, messages: Sequence[Message], i: int) -> list[int]:
        """The text between a space and an empty line."""
        self._refuse_parts(messages[i])
        return self._tokenizer.encode(f" {messages[i].content}{_END}", literal=True)

    def overlap(self, message: Message) -> list[int]:
        """`User:`, behind an answer."""
        return self._tokenizer.encode(_NEXT_HEADER) if message.role == "assistant" else []

    def parse(self, completion: Sequence[int]) -> Parsed:
        """The answer up to `User:` or the end of text; complete where one of them is its end."""
        ended = bool(completion) and completion[-1] in self._tokenizer.eos_token_ids
        text = self._tokenizer.decode(completion[:-1] if ended else completion)
        said, *others = text.split(_END + _NEXT_HEADER)
        if not others:
            said = said.removesuffix(_END)
        return Parsed(
            Message("assistant", said.removeprefix(" ")),
            complete=ended if not others else others == [""] and not ended,
        )
