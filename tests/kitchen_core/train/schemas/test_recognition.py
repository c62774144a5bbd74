"""Columns of other names, and datasets that are read one row at a time."""

from __future__ import annotations

import pytest

from kitchen_core.train.conversations import Conversation, Document
from kitchen_core.train.schemas import EXAMPLES, RowError, recognise, rows_as
from kitchen_core.train.types import Message

TURNS = [{"role": "user", "content": "Hi!"}, {"role": "assistant", "content": "Hello."}]
EXPECTED = (Message("user", "Hi!"), Message("assistant", "Hello."))

MAPPED = {
    "prompt and completion": (
        {"q": "Hi!", "a": "Hello."},
        {"prompt": "q", "completion": "a"},
        "prompt_completion",
    ),
    "the one that is named differently": (
        {"instruction": "Hi!", "context": "", "response": "Hello."},
        {"output": "response"},
        "alpaca",
    ),
    "against the columns' own names": (
        {"messages": TURNS, "q": "Hi!", "a": "Hello."},
        {"question": "q", "answer": "a"},
        "question_answer",
    ),
    "two columns changed about": (
        {"prompt": "Hello.", "completion": "Hi!"},
        {"prompt": "completion", "completion": "prompt"},
        "prompt_completion",
    ),
    "a column within a column": (
        {"data": {"turns": TURNS}},
        {"messages": "data.turns"},
        "messages",
    ),
    "a column with a dot in its name": (
        {"data.turns": TURNS},
        {"messages": "data.turns"},
        "messages",
    ),
    "a preference's question": (
        {"question": "Hi!", "chosen": "Hello.", "rejected": "What?"},
        {"prompt": "question"},
        "preference",
    ),
    "only what was chosen": ({"chosen": TURNS, "rejected": []}, {"messages": "chosen"}, "messages"),
}


@pytest.mark.parametrize("case", MAPPED)
def test_a_mapping_says_which_column_is_which(case):
    row, fields, name = MAPPED[case]
    schema = recognise(row, fields, "x row 1")
    assert schema.name == name
    assert fields.items() <= schema.mapping.items()
    assert schema.example(row, "x row 1") == Conversation(EXPECTED, "x row 1")


def test_the_mapping_names_the_columns_that_are_there():
    row = {"instruction": "Hi!", "context": "", "output": "Hello.", "id": 7}
    assert recognise(row, {"input": "context"}, "x").mapping == {
        "instruction": "instruction",
        "input": "context",
        "output": "output",
    }


def test_an_error_names_the_column_as_the_data_does():
    row = {"data": {"turns": [TURNS[0], {"role": "assistant", "content": 4}]}}
    with pytest.raises(RowError, match=r"field 'data\.turns\[1\]\.content'"):
        list(rows_as(EXAMPLES, [row], "x", {"messages": "data.turns"}))


def test_what_the_first_row_leaves_out_may_come_later():
    rows = [{"messages": TURNS}, {"messages": TURNS, "system": "Be brief."}]
    plain, with_system = rows_as(EXAMPLES, rows, "x")
    assert plain == Conversation(EXPECTED, "x row 1")
    assert with_system.messages == (Message("system", "Be brief."), *EXPECTED)


def test_every_row_is_held_to_the_form_of_the_first():
    rows = [{"text": "a"}, {"messages": TURNS}]
    with pytest.raises(RowError, match="x row 2: field 'text': is missing"):
        list(rows_as(EXAMPLES, rows, "x"))


def test_rows_are_read_one_at_a_time():
    asked = []

    def endless():
        while True:
            asked.append(len(asked))
            yield {"text": str(len(asked))}

    examples = rows_as(EXAMPLES, endless(), "x")
    assert asked == []
    assert [next(examples), next(examples)] == [Document("1", "x row 1"), Document("2", "x row 2")]
    assert len(asked) == 2
