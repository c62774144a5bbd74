"""Turns, spelt as OpenAI does (`role`, `content`) or as ShareGPT does (`from`, `value`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.schemas.tools import read_call, read_calls
from kitchen_core.train.types import Message, Role, ToolCall


@dataclass(frozen=True)
class Spelling:
    """The keys of a turn, what each word for a speaker means, and further words that are met."""

    role: str
    content: str
    roles: Mapping[str, Role]
    aliases: Mapping[str, Role]


OPENAI = Spelling(
    "role",
    "content",
    {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"},
    {"developer": "system", "function": "tool"},
)
SHAREGPT = Spelling(
    "from",
    "value",
    {
        "human": "user",
        "gpt": "assistant",
        "system": "system",
        "function_call": "assistant",
        "observation": "tool",
    },
    {"user": "user", "assistant": "assistant", "chatgpt": "assistant", "tool": "tool"},
)


def read_turns(cell: Cell) -> list[Message]:
    """A list of turns, or its JSON text. Raises RowError, also where a tool answers nobody."""
    turns = cell.items("a list of turns")
    if not turns:
        raise cell.refused("there are no turns")
    messages: list[Message] = []
    for turn in turns:
        message = read_turn(turn)
        if message.role == "tool" and not (messages and messages[-1].role in ("assistant", "tool")):
            raise turn.refused("a tool's turn must follow an assistant's turn")
        messages.append(message)
    return messages


def read_turn(cell: Cell) -> Message:
    """One turn in either spelling. Raises RowError."""
    if (plain := _plain(cell.value)) is not None:
        return plain
    turn = cell.object("a turn: an object with role and content")
    spelling = SHAREGPT if "from" in turn.value else OPENAI
    if turn.value.get(spelling.role) == "function_call":
        return Message(
            "assistant",
            "",
            tool_calls=_sharegpt_calls(turn.get(spelling.content)),
            trainable=_trainable(turn),
        )
    role = _role(turn.get(spelling.role), spelling)
    content, thinking = _content(turn.get(spelling.content))
    message = Message(
        role,
        content,
        thinking=_thinking(turn, thinking),
        tool_calls=_calls(turn),
        name=_optional_text(turn.get("name")),
        tool_call_id=_optional_text(turn.get("tool_call_id")),
        trainable=_trainable(turn),
    )
    _check(message, turn, turn.get(spelling.content))
    return message


_PLAIN = {"role", "content"}


def _plain(turn: Any) -> Message | None:
    """A turn that is a role and a text and nothing else, as most are: read so, it takes half the time."""
    if not isinstance(turn, dict) or turn.keys() != _PLAIN:
        return None
    role, content = turn["role"], turn["content"]
    known = isinstance(role, str) and role in OPENAI.roles
    return Message(OPENAI.roles[role], content) if known and _says(content) else None


def _says(content: Any) -> bool:
    return isinstance(content, str) and bool(content.strip())


def _check(message: Message, turn: Cell, content: Cell) -> None:
    """Only the assistant thinks and calls, and whoever has a turn says something with it. A system
    prompt may be empty, and so may a tool's answer.
    """
    if message.role != "assistant":
        if message.tool_calls:
            raise turn.refused(f"only an assistant calls tools, this turn is the {message.role}'s")
        if message.thinking is not None:
            raise turn.refused(f"only an assistant thinks, this turn is the {message.role}'s")
    if message.role in ("system", "tool"):
        if not content.given:
            raise content.unlike("text")
    elif not (message.content.strip() or message.tool_calls):
        raise content.empty() if content.given else content.unlike("text")


def _role(cell: Cell, spelling: Spelling) -> Role:
    known: dict[str, Role] = {**spelling.roles, **spelling.aliases}
    role = known.get(cell.value) if isinstance(cell.value, str) else None
    if role is None:
        raise cell.unlike(f"one of {', '.join(spelling.roles)}")
    return role


def _content(cell: Cell) -> tuple[str, str | None]:
    """What is said and what is thought: plain text, or a list of parts."""
    if not cell.given:
        return "", None
    if isinstance(cell.value, str):
        return cell.value, None
    said: list[str] = []
    thought: list[str] = []
    for each in cell.items("text or a list of parts"):
        part = each.object("a part: an object with type and text")
        match part.value.get("type"):
            case "text":
                said.append(part.get("text").text())
            case "thinking":
                thought.append(part.get("thinking").text())
            case _:
                raise part.get("type").unlike("text or thinking")
    return "".join(said), "".join(thought) if thought else None


def _thinking(turn: Cell, from_parts: str | None) -> str | None:
    ways = [turn.get(key) for key in ("reasoning_content", "thinking")]
    texts = {cell.text() for cell in ways if cell.given} | {from_parts or ""}
    filled = [text for text in texts if text.strip()]
    if len(filled) > 1:
        raise turn.refused("what the assistant thought is given twice, and differently")
    return filled[0] if filled else None


def _calls(turn: Cell) -> tuple[ToolCall, ...]:
    """`tool_calls`, or the one `function_call` of older OpenAI data."""
    single = turn.get("function_call")
    return (read_call(single),) if single.given else read_calls(turn.get("tool_calls"))


def _sharegpt_calls(cell: Cell) -> tuple[ToolCall, ...]:
    """The JSON text of a call, or of a list of calls made together."""
    if isinstance(cell.value, str) and cell.value.lstrip().startswith("["):
        calls = read_calls(cell)
        if not calls:
            raise cell.refused("there are no calls")
        return calls
    return (read_call(cell),)


_FLAGS = ("trainable", "train", "weight")


def _trainable(turn: Cell) -> bool | None:
    """Whether the data says that the turn is trained: true or false, or a weight of 1 or 0."""
    for cell in (turn.get(key) for key in _FLAGS):
        if cell.given:
            if cell.value not in (0, 1):
                raise cell.unlike("true or false, or 1 or 0")
            return bool(cell.value)
    return None


def _optional_text(cell: Cell) -> str | None:
    return cell.text() if cell.given else None
