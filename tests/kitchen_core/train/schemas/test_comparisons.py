"""Every form of preference data becomes the same comparison, or is refused in one line."""

import pytest

from kitchen_core.train.conversations import Comparison
from kitchen_core.train.schemas import COMPARISONS, RowError, rows_as
from kitchen_core.train.types import Message
from tests.kitchen_core.train.schemas.forms import (
    BYE,
    CIAO,
    HELLO,
    HI,
    ONE_TURN,
    SYSTEM,
    TOOL_USE,
    TWO_TURNS,
    openai,
    sharegpt,
)

WHAT = Message("assistant", "What?")
PAIRS = [
    name
    for name, row in ONE_TURN.items()
    if "rejected" in row and name != "preference whose rejected answer is empty"
]
LONGER = [name for name, row in TWO_TURNS.items() if "rejected" in row]
ADD = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {}}}


def compared(row, fields=None):
    (found,) = rows_as(COMPARISONS, [row], "x.jsonl", fields or {})
    return found


def refusal(row, fields=None):
    with pytest.raises(RowError) as refused:
        compared(row, fields)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("form", PAIRS)
def test_a_pair_is_the_same_in_every_form(form):
    found = compared(ONE_TURN[form])
    assert isinstance(found, Comparison)
    assert list(found.chosen.messages) == [HI, HELLO]
    assert found.rejected.messages[0] == HI
    assert found.rejected.messages[1] in (WHAT, CIAO)
    assert list(found.prompt.messages) == [HI]
    assert found.where == "x.jsonl row 1"


@pytest.mark.parametrize("form", LONGER)
def test_earlier_turns_and_the_system_prompt_belong_to_both_sides(form):
    found = compared(TWO_TURNS[form])
    assert list(found.prompt.messages) == [SYSTEM, HI, HELLO, BYE]
    assert found.chosen.messages[4:] == (CIAO,)
    assert found.rejected.messages[4:] in ((WHAT,), (HELLO,))


def test_columns_of_other_names_are_named_by_fields():
    row = {"asked": "Hi!", "good": "Hello.", "bad": "What?"}
    found = compared(row, {"prompt": "asked", "chosen": "good", "rejected": "bad"})
    assert (found.chosen.messages[1], found.rejected.messages[1]) == (HELLO, WHAT)


def test_the_prompt_ends_where_the_sides_part():
    row = {"chosen": openai(HI, HELLO, BYE, CIAO), "rejected": openai(HI, WHAT, BYE, CIAO)}
    assert list(compared(row).prompt.messages) == [HI]


def test_an_answer_may_go_on_longer_than_the_other():
    row = {"chosen": openai(HI, HELLO), "rejected": openai(HI, HELLO, BYE, CIAO)}
    found = compared(row)
    assert list(found.prompt.messages) == [HI]
    assert (len(found.chosen.messages), len(found.rejected.messages)) == (2, 4)


def test_tools_and_calls_are_those_of_both_sides():
    row = {
        "prompt": openai(HI),
        "chosen": TOOL_USE["sharegpt"][1:],
        "rejected": "3",
        "tools": [ADD],
    }
    found = compared(row)
    assert found.chosen.tools == found.rejected.tools == (ADD,)
    assert found.chosen.messages[1].tool_calls[0].name == "add"


def test_equal_sides_are_refused():
    row = {"prompt": "Hi!", "chosen": "Hello.", "rejected": "Hello."}
    assert refusal(row) == (
        "x.jsonl row 1: field 'rejected': says what the chosen says, so there is nothing to prefer; "
        "take the row out"
    )


@pytest.mark.parametrize(
    ("rejected", "turn"),
    [
        (openai(BYE, WHAT), "turn 1, the user's"),
        (openai(SYSTEM, HI, WHAT), "turn 1, the user's"),
        (openai(HI, HELLO, HI, WHAT), "turn 3, the user's"),
    ],
)
def test_sides_that_answer_other_prompts_are_refused(rejected, turn):
    chosen = openai(HI, HELLO, BYE, CIAO) if "3" in turn else openai(HI, HELLO)
    assert refusal({"chosen": chosen, "rejected": rejected}) == (
        "x.jsonl row 1: field 'rejected': answers another prompt than the chosen: they differ in "
        f"{turn}; give both sides the same prompt"
    )


def test_transcripts_of_other_questions_are_refused():
    row = {
        "chosen": "\n\nHuman: Hi!\n\nAssistant: Hello.",
        "rejected": "\n\nHuman: Bye!\n\nAssistant: Ciao.",
    }
    assert "answers another prompt than the chosen" in refusal(row)


def test_a_form_without_two_answers_is_refused_with_the_remedy():
    told = refusal({"messages": openai(HI, HELLO)})
    assert told.startswith("x.jsonl row 1: field 'rejected': a row of the form messages has no two")
    assert 'fields={"chosen": COLUMN, "rejected": COLUMN}' in told


@pytest.mark.parametrize("rejected", ["", "  ", None])
def test_an_empty_answer_is_refused(rejected):
    told = refusal({"prompt": "Hi!", "chosen": "Hello.", "rejected": rejected})
    assert told.startswith("x.jsonl row 1: field 'rejected'")


def test_a_rejected_side_without_an_answer_is_refused():
    row = {"conversations": sharegpt(HI), "chosen": sharegpt(HELLO), "rejected": sharegpt(BYE)}
    assert "must end with an assistant's turn" in refusal(row)
