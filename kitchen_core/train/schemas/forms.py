"""The forms that datasets come in, and how a row of each becomes an example."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kitchen_core.train.conversations import Conversation, Document, Example
from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.schemas.tools import read_tools
from kitchen_core.train.schemas.transcripts import is_transcript, read_transcript
from kitchen_core.train.schemas.turns import read_turn, read_turns
from kitchen_core.train.types import Message, Role

Fields = Mapping[str, Cell]


@dataclass(frozen=True)
class Form:
    """A form by name: the fields that make it, those that it may have besides, and its reading.

    answer: the required field that a prompt may do without, and ask: the reading of a row that has
    nothing in it.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[Fields], Example]
    answer: str | None = None
    ask: Callable[[Fields], Conversation] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields of the form."""
        return self.required + self.optional

    @property
    def is_document(self) -> bool:
        """Whether its rows are plain text, without turns."""
        return self.required == ("text",)


def _messages(row: Fields) -> Conversation:
    return _conversation(row, row["messages"], read_turns(row["messages"]))


def _sharegpt(row: Fields) -> Conversation:
    return _conversation(row, row["conversations"], read_turns(row["conversations"]))


def _alpaca(row: Fields) -> Conversation:
    return _answered(_instruction(row), _answer(row["output"]))


def _instruction(row: Fields) -> Conversation:
    """The question is the instruction, and the input on the next line, where there is one."""
    asked = [row[name].text() for name in ("instruction", "input") if row[name].given]
    question = "\n".join(text for text in asked if text.strip())
    if not question:
        raise row["instruction"].empty()
    turns = [*_history(row["history"]), Message("user", question)]
    return _conversation(row, row["instruction"], turns)


def _prompt_completion(row: Fields) -> Conversation:
    return _answered(_prompt(row), *_answering(row["completion"]))


def _prompt(row: Fields) -> Conversation:
    return _conversation(row, row["prompt"], _said(row["prompt"], "user"))


def _question_answer(row: Fields) -> Conversation:
    return _answered(_question(row), _answer(row["answer"].written()))


def _question(row: Fields) -> Conversation:
    turns = [Message("user", row["question"].filled_text())]
    return _conversation(row, row["question"], turns)


def _preference(row: Fields) -> Conversation:
    """The prompt and the chosen answer. The chosen may hold the prompt too, or alone."""
    prompt_cell = row["prompt"] if row["prompt"].given else row["conversations"]
    prompt = _said(prompt_cell, "user") if prompt_cell.given else []
    chosen = _answering(row["chosen"])
    if chosen[0].role != "assistant":
        if not set(prompt) <= set(chosen):
            raise row["chosen"].refused(
                f"neither continues what '{prompt_cell.field}' says nor repeats it"
            )
        return _conversation(row, row["chosen"], chosen)
    if not prompt:
        raise row["chosen"].refused(
            'answers no prompt; name its column with fields={"prompt": COLUMN}'
        )
    return _conversation(row, prompt_cell, prompt + chosen)


def _text(row: Fields) -> Document:
    return Document(row["text"].filled_text(), row["text"].where)


FORMS = (
    Form(
        "preference",
        ("chosen", "rejected"),
        ("prompt", "conversations", "system", "tools"),
        _preference,
    ),
    Form("messages", ("messages",), ("system", "tools"), _messages),
    Form("sharegpt", ("conversations",), ("system", "tools"), _sharegpt),
    Form(
        "alpaca",
        ("instruction", "output"),
        ("input", "history", "system"),
        _alpaca,
        "output",
        _instruction,
    ),
    Form(
        "prompt_completion",
        ("prompt", "completion"),
        ("system", "tools"),
        _prompt_completion,
        "completion",
        _prompt,
    ),
    Form(
        "question_answer",
        ("question", "answer"),
        ("system",),
        _question_answer,
        "answer",
        _question,
    ),
    Form("text", ("text",), (), _text),
)
"""Every form, the more telling ones first: the first that a row has the fields of is its own."""


def _conversation(row: Fields, first: Cell, turns: list[Message]) -> Conversation:
    """The turns behind the row's system prompt. first: the cell that the first turn is from."""
    if turns[0].role == "assistant":
        raise first.refused("a conversation can't begin with an assistant's turn")
    tools = read_tools(row["tools"]) if "tools" in row else ()
    return Conversation(tuple(_with_system(row["system"], turns)), first.where, tools)


def _answered(asked: Conversation, *turns: Message) -> Conversation:
    return replace(asked, messages=asked.messages + turns)


def _with_system(cell: Cell, turns: list[Message]) -> list[Message]:
    text = cell.text() if cell.given else ""
    if not text.strip() or turns[0] == Message("system", text):
        return turns
    if turns[0].role == "system":
        raise cell.refused("the conversation begins with another system prompt; keep one of them")
    return [Message("system", text), *turns]


def _said(cell: Cell, role: Role) -> list[Message]:
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


def _answering(cell: Cell) -> list[Message]:
    """What is said in answer: it ends with the assistant."""
    turns = _said(cell, "assistant")
    if turns[-1].role != "assistant":
        raise cell.refused(f"must end with an assistant's turn, ends with the {turns[-1].role}'s")
    return turns


def _answer(cell: Cell) -> Message:
    return Message("assistant", cell.filled_text())


def _history(cell: Cell) -> list[Message]:
    """Earlier turns, as pairs of what was asked and what was answered."""
    turns: list[Message] = []
    for pair in cell.items("a list of [question, answer] pairs") if cell.given else []:
        sides = pair.items("a [question, answer] pair")
        if len(sides) != 2:
            raise pair.unlike("a [question, answer] pair")
        turns += [Message("user", sides[0].filled_text()), _answer(sides[1])]
    return turns
