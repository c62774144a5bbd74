"""Rows of every form, recognised, rendered and prepared as a run does it."""

from __future__ import annotations

import json

import pytest

from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.schemas import EXAMPLES, rows_as
from tests.kitchen_core.train.renderers.support import chatml_tokenizer, trained_text
from tests.kitchen_core.train.schemas.forms import ONE_TURN, TOOL_USE, TWO_TURNS

CALLED = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>'
ANSWERS = {
    "chatml": {
        "one turn": "Hello.<|im_end|>",
        "two turns": "Hello.<|im_end|>Ciao.<|im_end|>",
        "tools": f"{CALLED}<|im_end|>Hello.<|im_end|>",
        "text": "Once upon a time.<|im_end|>",
    },
    "role_colon": {
        "one turn": " Hello.\n\nUser:",
        "two turns": " Hello.\n\n Ciao.\n\nUser:",
        "text": "Once upon a time.<|im_end|>",
    },
}
"""What is trained, by renderer and by conversation; role_colon has no form for tool calls."""

ROWS = [
    *(("one turn", form, row) for form, row in ONE_TURN.items()),
    *(("two turns", form, row) for form, row in TWO_TURNS.items()),
    *(("tools", form, {"messages": turns}) for form, turns in TOOL_USE.items()),
    ("text", "text", {"text": "Once upon a time."}),
]


CASES = [
    pytest.param(renderer, row, answers[said], id=f"{renderer}, {said}: {form}")
    for renderer, answers in ANSWERS.items()
    for said, form, row in ROWS
    if said in answers
]


@pytest.mark.parametrize(("renderer", "row", "trained"), CASES)
def test_of_a_row_of_any_form_the_answers_are_trained_with_their_ends(renderer, row, trained):
    tokenizer = chatml_tokenizer(marked=False)
    found = get_renderer("auto" if renderer == "chatml" else renderer, tokenizer)
    preparation = Preparation(found, tokenizer, "all_assistant_messages", max_length=1024)
    (example,) = rows_as(EXAMPLES, [json.loads(json.dumps(row))], "x.jsonl")
    (sequence,) = preparation.sequences(example)
    assert trained_text(tokenizer, sequence) == trained
