"""Real public data reads whole, in every form that it comes in."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from kitchen_core.adapters.local_files.reader import open_rows
from kitchen_core.train.schemas import EXAMPLES, recognise, rows_as

DATA = os.environ.get("KITCHEN_TEST_DATA")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATA is None, reason="KITCHEN_TEST_DATA names no folder"),
]

# Counted over the plain JSON: roles by their words, 211 of them `function_call`.
FILES = {
    "chat/messages.jsonl": ("messages", 128, {"system": 25, "user": 128, "assistant": 128}),
    "chat/alpaca.json": ("alpaca", 999, {"user": 999, "assistant": 999}),
    "chat/sharegpt_toolcall.json": (
        "sharegpt",
        300,
        {"user": 746, "assistant": 746 + 211, "tool": 211},
    ),
    "preference/sharegpt_pairs.json": (
        "preference",
        300,
        {"system": 80, "user": 563, "assistant": 263 + 300},
    ),
    "gsm8k/train.jsonl": ("question_answer", 7473, {"user": 7473, "assistant": 7473}),
}


@pytest.mark.parametrize("name", FILES)
def test_every_row_becomes_a_conversation(name):
    form, count, turns = FILES[name]
    rows = open_rows(Path(DATA or "", name))
    assert recognise(next(iter(rows)), {}, name).name == form
    examples = list(rows_as(EXAMPLES, rows, name))
    assert len(examples) == count
    assert Counter(each.role for example in examples for each in example.messages) == turns


def test_every_call_has_its_tool_and_its_answer():
    name = "chat/sharegpt_toolcall.json"
    calls = 0
    for example in rows_as(EXAMPLES, open_rows(Path(DATA or "", name)), name):
        known = {tool["function"]["name"] for tool in example.tools}
        for turn, following in zip(example.messages, example.messages[1:], strict=False):
            calls += len(turn.tool_calls)
            assert {call.name for call in turn.tool_calls} <= known
            assert not turn.tool_calls or following.role == "tool"
    assert calls == 211
