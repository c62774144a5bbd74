"""What the cells of a row say: turns, and the conversation that they make."""

from __future__ import annotations

from collections.abc import Mapping

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.schemas.tools import read_tools
from kitchen_core.train.schemas.transcripts import is_transcript, read_transcript
from kitchen_core.train.schemas.turns import read_turn, read_turns
from kitchen_core.train.types import Message, Role

Fields = Mapping[str, Cell]
"""The cells of a row by the fields of its form."""


def conversation(row: Fields, first: Cell, turns: list[Message]) -> Conversation:
    """The turns behind the row's system prompt. first: the cell that the first turn is from."""
    if turns[0].role == "assistant":
        raise first.refused("a conversation can't begin with an assistant's turn")
    tools = read_tools(row["tools"]) if "tools" in row else ()
    return Conversation(tuple(_with_system(row["system"], turns)), first.where, tools)


def said(cell: Cell, role: Role) -> list[Message]:
    """What one side says: plain text, a transcript, a turn, or a list of turns."""
    if isinstance(cell.value, dict):
        return [read_turn(cell)]
    if isinstance(cell.value, list | tuple):
        return read_turns(cell)
    if is_transcript(cell.value):
        return read_transcript(cell)
    if not isinstance(cell.value, str):
        raise cell.unlike("text, a turn or a list of turns")
    return [Message(role, cell.filled_text())]


def answering(cell: Cell) -> list[Message]:
    """What is said in answer: it ends with the assistant."""
    turns = said(cell, "assistant")
    if turns[-1].role != "assistant":
        raise cell.refused(f"must end with an assistant's turn, ends with the {turns[-1].role}'s")
    return turns


def answer(cell: Cell) -> Message:
    """The text of an assistant's turn."""
    return Message("assistant", cell.filled_text())


def _with_system(cell: Cell, turns: list[Message]) -> list[Message]:
    text = cell.text() if cell.given else ""
    if not text.strip() or turns[0] == Message("system", text):
        return turns
    if turns[0].role == "system":
        raise cell.refused("the conversation begins with another system prompt; keep one of them")
    return [Message("system", text), *turns]
