"""The forms that datasets come in, and how a row of each becomes an example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kitchen_core.train.conversations import Comparison, Conversation, Document, Example
from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.schemas.preferences import read_chosen, read_comparison
from kitchen_core.train.schemas.speaking import Fields, answer, answering, conversation, said
from kitchen_core.train.schemas.turns import read_turns
from kitchen_core.train.types import Message


@dataclass(frozen=True)
class Form:
    """A form by name: the fields that make it, those that it may have besides, and its reading.

    compare: its reading as two answers to one prompt, where it has them.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[Fields], Example]
    compare: Callable[[Fields], Comparison] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields of the form."""
        return self.required + self.optional


def _messages(row: Fields) -> Conversation:
    return conversation(row, row["messages"], read_turns(row["messages"]))


def _sharegpt(row: Fields) -> Conversation:
    return conversation(row, row["conversations"], read_turns(row["conversations"]))


def _alpaca(row: Fields) -> Conversation:
    """The question is the instruction, and the input on the next line, where there is one."""
    asked = [row[name].text() for name in ("instruction", "input") if row[name].given]
    question = "\n".join(text for text in asked if text.strip())
    if not question:
        raise row["instruction"].empty()
    turns = [*_history(row["history"]), Message("user", question), answer(row["output"])]
    return conversation(row, row["instruction"], turns)


def _prompt_completion(row: Fields) -> Conversation:
    turns = said(row["prompt"], "user") + answering(row["completion"])
    return conversation(row, row["prompt"], turns)


def _question_answer(row: Fields) -> Conversation:
    turns = [Message("user", row["question"].filled_text()), answer(row["answer"].written())]
    return conversation(row, row["question"], turns)


def _text(row: Fields) -> Document:
    return Document(row["text"].filled_text(), row["text"].where)


FORMS = (
    Form(
        "preference",
        ("chosen", "rejected"),
        ("prompt", "conversations", "system", "tools"),
        read_chosen,
        read_comparison,
    ),
    Form("messages", ("messages",), ("system", "tools"), _messages),
    Form("sharegpt", ("conversations",), ("system", "tools"), _sharegpt),
    Form("alpaca", ("instruction", "output"), ("input", "history", "system"), _alpaca),
    Form("prompt_completion", ("prompt", "completion"), ("system", "tools"), _prompt_completion),
    Form("question_answer", ("question", "answer"), ("system",), _question_answer),
    Form("text", ("text",), (), _text),
)
"""Every form, the more telling ones first: the first that a row has the fields of is its own."""


def _history(cell: Cell) -> list[Message]:
    """Earlier turns, as pairs of what was asked and what was answered."""
    turns: list[Message] = []
    for pair in cell.items("a list of [question, answer] pairs") if cell.given else []:
        sides = pair.items("a [question, answer] pair")
        if len(sides) != 2:
            raise pair.unlike("a [question, answer] pair")
        turns += [Message("user", sides[0].filled_text()), answer(sides[1])]
    return turns
