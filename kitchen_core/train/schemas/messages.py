"""From a dataset's row to a conversation, with errors that name the row and the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.types import Message, Role, Row

ROLES: tuple[Role, ...] = get_args(Role)


class RowError(ValueError):
    """A row that does not fit what the workflow reads."""

    def __init__(self, where: str, field: str, problem: str) -> None:
        super().__init__(f"{where}: field '{field}': {problem}")


def conversations_from_rows(rows: Sequence[Row], source: str) -> list[Conversation]:
    """Every row of a chat dataset (`messages`: a list of `{role, content}`), in order.

    Raises RowError.
    """
    return [_conversation(row, f"{source} row {i}") for i, row in enumerate(rows, start=1)]


def _conversation(row: Row, where: str) -> Conversation:
    if "messages" not in row:
        found = ", ".join(sorted(row)) or "nothing"
        raise RowError(where, "messages", f"is missing (the row has: {found}); expected chat turns")
    turns = row["messages"]
    if not isinstance(turns, (list, tuple)) or not turns:
        raise RowError(where, "messages", f"expected a list of turns, found {_shown(turns)}")
    messages = tuple(_message(turn, where, i) for i, turn in enumerate(turns))
    if not any(message.role == "assistant" for message in messages):
        raise RowError(where, "messages", "no assistant turn, so there is nothing to learn")
    if messages[0].role == "assistant":
        raise RowError(where, "messages[0].role", "a conversation can't begin with the assistant")
    return Conversation(messages, where)


def _message(turn: Any, where: str, index: int) -> Message:
    field = f"messages[{index}]"
    if not isinstance(turn, dict):
        raise RowError(where, field, f"expected an object, found {_shown(turn)}")
    role, content = turn.get("role"), turn.get("content")
    if role not in ROLES:
        raise RowError(
            where, f"{field}.role", f"expected one of {', '.join(ROLES)}, found {_shown(role)}"
        )
    if not isinstance(content, str):
        raise RowError(where, f"{field}.content", f"expected text, found {_shown(content)}")
    return Message(role, content)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
