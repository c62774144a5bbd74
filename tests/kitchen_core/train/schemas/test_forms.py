"""Every form of dataset becomes the same conversations."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.conversations import Conversation, Document
from kitchen_core.train.schemas import EXAMPLES, recognise, rows_as
from kitchen_core.train.types import Message, ToolCall
from tests.kitchen_core.train.schemas.forms import (
    BYE,
    CALL,
    CALL_JSON,
    CIAO,
    HELLO,
    HI,
    ONE_TURN,
    SYSTEM,
    THREE,
    TOOL_USE,
    TWO_TURNS,
    openai,
    sharegpt,
)

ADD = {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}}
WRAPPED_ADD = {"type": "function", "function": ADD}


def example(row, fields=None):
    (found,) = rows_as(EXAMPLES, [row], "x.jsonl", fields or {})
    assert found.where == "x.jsonl row 1"
    return found


def turns(row, fields=None):
    found = example(row, fields)
    assert isinstance(found, Conversation)
    return list(found.messages)


@pytest.mark.parametrize("form", ONE_TURN)
def test_a_question_and_its_answer_are_the_same_in_every_form(form):
    assert turns(ONE_TURN[form]) == [HI, HELLO]


@pytest.mark.parametrize("form", TWO_TURNS)
def test_earlier_turns_and_the_system_prompt_are_the_same_in_every_form(form):
    assert turns(TWO_TURNS[form]) == [SYSTEM, HI, HELLO, BYE, CIAO]


def test_an_alpaca_input_stands_on_the_line_below_its_instruction():
    row = {"instruction": "Translate.", "input": "Katze", "output": "cat"}
    assert turns(row) == [Message("user", "Translate.\nKatze"), Message("assistant", "cat")]


def test_text_becomes_a_document():
    assert example({"text": "Once upon a time."}) == Document("Once upon a time.", "x.jsonl row 1")


def test_a_transcript_is_told_from_text_that_mentions_a_human():
    row = {"prompt": "Human: or robot?", "completion": "Human: of course."}
    assert turns(row) == [
        Message("user", "Human: or robot?"),
        Message("assistant", "Human: of course."),
    ]


@pytest.mark.parametrize("spelling", TOOL_USE)
def test_a_tool_call_is_an_assistants_turn_and_its_answer_a_tools(spelling):
    calling = Message("assistant", "", tool_calls=(CALL,))
    assert turns({"messages": TOOL_USE[spelling]}) == [HI, calling, THREE, HELLO]


def test_calls_made_together_stay_together():
    both = json.dumps([CALL_JSON, {"name": "now"}])
    row = {"conversations": [*sharegpt(HI), {"from": "function_call", "value": both}]}
    assert turns(row)[1].tool_calls == (CALL, ToolCall("now", "{}"))


def test_a_call_and_its_answer_keep_their_names_and_ids():
    calling = Message("assistant", "", tool_calls=(ToolCall("add", "{}", id="c1"),))
    answer = Message("tool", "3", name="add", tool_call_id="c1")
    assert turns({"messages": openai(HI, calling, answer, HELLO)})[1:3] == [calling, answer]


def test_arguments_that_are_text_stay_as_they_are_written():
    call = {"name": "add", "arguments": '{"b":2,  "a":1.0}'}
    row = {"messages": [HI.to_json(), {"role": "assistant", "tool_calls": [call]}]}
    assert turns(row)[1].tool_calls[0].arguments == '{"b":2,  "a":1.0}'


@pytest.mark.parametrize(
    "tools", [[ADD], [WRAPPED_ADD], json.dumps([ADD]), json.dumps([WRAPPED_ADD])]
)
def test_tools_are_spelt_as_templates_want_them(tools):
    assert example({"messages": openai(HI, HELLO), "tools": tools}).tools == (WRAPPED_ADD,)


@pytest.mark.parametrize("tools", [None, "", [], "[]"])
def test_no_tools_are_no_tools(tools):
    assert example({"conversations": sharegpt(HI, HELLO), "tools": tools}).tools == ()


@pytest.mark.parametrize(
    "said",
    [
        {"reasoning_content": "Hm.", "content": "Hello."},
        {"thinking": "Hm.", "content": "Hello."},
        {"thinking": "Hm.", "reasoning_content": "Hm.", "content": "Hello."},
        {
            "content": [
                {"type": "thinking", "thinking": "Hm."},
                {"type": "text", "text": "Hello."},
            ]
        },
    ],
)
def test_what_the_assistant_thinks_is_kept_apart(said):
    row = {"messages": [HI.to_json(), {"role": "assistant"} | said]}
    assert turns(row)[1] == Message("assistant", "Hello.", thinking="Hm.")


def test_blank_thinking_is_none():
    row = {"messages": [HI.to_json(), {**HELLO.to_json(), "reasoning_content": "\n"}]}
    assert turns(row)[1] == HELLO


@pytest.mark.parametrize(
    ("flag", "trained"),
    [
        ({"trainable": True}, True),
        ({"trainable": False}, False),
        ({"weight": 1}, True),
        ({"weight": 0}, False),
        ({"weight": 0.0}, False),
        ({"train": False}, False),
        ({"weight": None}, None),
        ({}, None),
    ],
)
def test_the_data_may_say_which_turns_are_trained(flag, trained):
    row = {"messages": [HI.to_json(), HELLO.to_json() | flag]}
    assert turns(row)[1].trainable is trained


def test_a_tools_answer_and_a_system_prompt_may_be_empty():
    silent = [Message("system", ""), HI, Message("assistant", "", tool_calls=(CALL,))]
    silent += [Message("tool", ""), HELLO]
    assert turns({"messages": openai(*silent)}) == silent


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_plain_turn_is_read_as_one_with_more_to_it(role):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    plain = {"role": role, "content": " c "}
    full = example({"messages": [*turns, plain | {"name": None}]})
    assert example({"messages": [*turns, plain]}) == full


def test_null_is_as_good_as_absent():
    bare = {"thinking": None, "tool_calls": None, "name": None, "tool_call_id": None}
    row = {"messages": [each | bare for each in openai(HI, HELLO)], "tools": None, "system": None}
    assert example(row) == Conversation((HI, HELLO), "x.jsonl row 1")


TEXT = st.text(min_size=1, max_size=20).filter(str.strip)
JSON_OBJECTS = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.booleans())
)
CALLS = st.builds(
    ToolCall,
    TEXT,
    JSON_OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.none() | TEXT,
)
USERS = st.builds(Message, st.just("user"), TEXT)
ANSWERS = st.builds(
    Message,
    st.just("assistant"),
    TEXT,
    thinking=st.none() | TEXT,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
)
RESULTS = st.builds(
    Message,
    st.just("tool"),
    st.text(max_size=20),
    name=st.none() | TEXT,
    tool_call_id=st.none() | TEXT,
)
EXCHANGES = st.tuples(USERS, ANSWERS, st.lists(RESULTS, max_size=2))


@given(st.none() | st.builds(Message, st.just("system"), TEXT), st.lists(EXCHANGES, min_size=1))
def test_messages_written_out_are_read_back(system, exchanges):
    said = [system] if system else []
    for question, answer, results in exchanges:
        said += [question, answer, *results]
    row = {"messages": json.loads(json.dumps(openai(*said)))}
    assert turns(row) == said


def test_the_row_is_not_changed_by_reading_it():
    row = {"messages": [HI.to_json(), {"role": "assistant", "tool_calls": [CALL_JSON]}]}
    before = json.dumps(row)
    turns(row)
    assert json.dumps(row) == before


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (ONE_TURN["messages"], "messages"),
        (ONE_TURN["sharegpt"], "sharegpt"),
        (ONE_TURN["alpaca with the filled template beside"], "alpaca"),
        (ONE_TURN["prompt and completion"], "prompt_completion"),
        (ONE_TURN["preference beside the chosen messages"], "preference"),
        (ONE_TURN["preference in ShareGPT's spelling"], "preference"),
        (ONE_TURN["question and answer"], "question_answer"),
        ({"text": "x", "url": "y"}, "text"),
    ],
)
def test_the_more_telling_columns_name_the_form(row, name):
    assert recognise(row, {}, "x").name == name


def test_an_answer_that_is_a_whole_number_is_read_as_csv_would_have_it():
    found = example({"question": "2 + 3?", "answer": 5})
    assert found == example({"question": "2 + 3?", "answer": "5"})
    assert found.messages[-1] == Message("assistant", "5")
