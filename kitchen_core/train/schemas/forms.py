"""The forms that datasets come in, and how a row of each becomes an example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kitchen_core.train.conversations import Comparison, Conversation, Document, Example
from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.schemas.preferences import read_chosen, read_comparison
from kitchen_core.train.schemas.speaking import Fields, answer, answering, conversation, said
from kitchen_core.train.schemas.turns import read_turns
from kitchen_core.train.types import Message


@dataclass(frozen=True)
class Form:
    """A form by name: the fields that make it, those that it may have besides, and its reading.

    compare: its reading as two answers to one prompt, where it has them. answer: the required field that
    a prompt may do without, and ask: the reading of a row that has nothing in it.
    """

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[Fields], Example]
    compare: Callable[[Fields], Comparison] | None = None
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

    def needs(self, *, answers: bool) -> tuple[str, ...]:
        """The fields that a row has to have, be it that there is nothing in them. answers: whether there
        must be an answer.
        """
        return tuple(name for name in self.required if answers or name != self.answer)


def _messages(row: Fields) -> Conversation:
    return conversation(row, row["messages"], read_turns(row["messages"]))


def _sharegpt(row: Fields) -> Conversation:
    return conversation(row, row["conversations"], read_turns(row["conversations"]))


def _alpaca(row: Fields) -> Conversation:
    return _answered(_instruction(row), answer(row["output"]))


def _instruction(row: Fields) -> Conversation:
    """The question is the instruction, and the input on the next line, where there is one."""
    asked = [row[name].text() for name in ("instruction", "input") if row[name].given]
    question = "\n".join(text for text in asked if text.strip())
    if not question:
        raise row["instruction"].empty()
    turns = [*_history(row["history"]), Message("user", question)]
    return conversation(row, row["instruction"], turns)


def _prompt_completion(row: Fields) -> Conversation:
    return _answered(_prompt(row), *answering(row["completion"]))


def _prompt(row: Fields) -> Conversation:
    return conversation(row, row["prompt"], said(row["prompt"], "user"))


def _question_answer(row: Fields) -> Conversation:
    return _answered(_question(row), answer(row["answer"].written()))


def _question(row: Fields) -> Conversation:
    turns = [Message("user", row["question"].filled_text())]
    return conversation(row, row["question"], turns)


def _answered(asked: Conversation, *turns: Message) -> Conversation:
    return replace(asked, messages=asked.messages + turns)


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
    Form(
        "alpaca",
        ("instruction", "output"),
        ("input", "history", "system"),
        _alpaca,
        answer="output",
        ask=_instruction,
    ),
    Form(
        "prompt_completion",
        ("prompt", "completion"),
        ("system", "tools"),
        _prompt_completion,
        answer="completion",
        ask=_prompt,
    ),
    Form(
        "question_answer",
        ("question", "answer"),
        ("system",),
        _question_answer,
        answer="answer",
        ask=_question,
    ),
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
