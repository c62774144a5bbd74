"""Whatever a row holds, it is read or refused in one line; it never ends in a traceback."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_core.train.conversations import Conversation, Document
from kitchen_core.train.schemas import EXAMPLES, RowError, rows_as
from kitchen_core.train.schemas.forms import FORMS

ROLES = ["user", "assistant", "tool", "system", "human", "gpt", "function_call", "text", "thinking"]
TEXTS = ["\n\nHuman: a\n\nAssistant: b", "[", "{", '{"name": "f"}', '[{"name": "f"}]', "", " \n"]
WORDS = st.sampled_from([*ROLES, *TEXTS])
TURN_KEYS = ["role", "content", "from", "value", "thinking", "weight", "trainable"]
PART_KEYS = ["type", "text", "function", "name", "arguments", "id", "tool_calls", "function_call"]
KEYS = st.sampled_from([*TURN_KEYS, *PART_KEYS])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
COLUMNS = sorted({field for form in FORMS for field in form.fields})
ROWS = st.dictionaries(st.sampled_from(COLUMNS) | st.text(max_size=3), VALUES, max_size=6)
FORMED = st.sampled_from(FORMS).flatmap(
    lambda form: st.fixed_dictionaries(
        dict.fromkeys(form.required, VALUES), optional=dict.fromkeys(form.optional, VALUES)
    )
)
FIELDS = st.just({}) | st.dictionaries(st.sampled_from([*COLUMNS, "promt"]), st.text(max_size=3))


def read_or_refusal(row, fields):
    try:
        return next(rows_as(EXAMPLES, [row], "x.jsonl", fields))
    except RowError as error:
        return error


@settings(max_examples=500)
@given(ROWS | FORMED, FIELDS)
def test_any_row_is_read_or_refused_in_one_line(row, fields):
    example = read_or_refusal(row, fields)
    if isinstance(example, RowError):
        assert str(example).startswith("x.jsonl row 1: ")
        assert len(str(example).splitlines()) == 1
        return
    if isinstance(example, Document):
        assert example.text.strip()
        return
    assert isinstance(example, Conversation)
    assert example.messages[0].role != "assistant"
    for message in example.messages:
        assert message.role in ("system", "tool") or message.content.strip() or message.tool_calls
    json.dumps([message.to_json() for message in example.messages])
