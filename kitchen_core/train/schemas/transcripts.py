"""Conversations written down as one text: `\\n\\nHuman: ...\\n\\nAssistant: ...`."""

from __future__ import annotations

import re
from typing import Any

from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.types import Message, Role

_SPEAKER = re.compile(r"\n\n(Human|Assistant):")
_ANSWER = "\n\nAssistant:"
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def is_transcript(value: Any) -> bool:
    """Whether a value is such a text."""
    return isinstance(value, str) and value.lstrip().startswith("Human:") and _ANSWER in value


def read_transcript(cell: Cell) -> list[Message]:
    """The turns of a transcript; an `Assistant:` at its end, with nothing behind it, is the
    assistant's to fill. Raises RowError.
    """
    _, *parts = _SPEAKER.split("\n\n" + cell.text().lstrip())
    turns = [(name, said.strip()) for name, said in zip(parts[::2], parts[1::2], strict=True)]
    if turns[-1] == ("Assistant", ""):
        turns.pop()
    for number, (name, said) in enumerate(turns, start=1):
        if not said:
            raise cell.refused(f"turn {number} ({name}) is empty")
    return [Message(_ROLES[name], said) for name, said in turns]
