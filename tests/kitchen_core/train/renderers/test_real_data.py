"""Chat data as people keep it, through a template that knows neither tools nor calls.

The folder is named by KITCHEN_TEST_DATA: `chat/messages.jsonl`, `chat/alpaca.json` and
`chat/sharegpt_toolcall.json`. A real chat model is named by KITCHEN_TEST_MODEL; without one the
recorded tokenizer with ChatML stands in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.types import Message, ToolCall
from tests.kitchen_core.train.renderers.support import (
    assistant,
    chatml_tokenizer,
    talk,
    trained_text,
    user,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "KITCHEN_TEST_DATA" not in os.environ, reason="KITCHEN_TEST_DATA names no folder"
    ),
]
FORMS = ("messages", "alpaca", "sharegpt")


def rows(form: str) -> list[Conversation]:
    folder = Path(os.environ["KITCHEN_TEST_DATA"]) / "chat"
    if form == "messages":
        lines = (folder / "messages.jsonl").read_text(encoding="utf-8").splitlines()
        turns = (json.loads(line)["messages"] for line in lines if line)
        return [talk(*(Message(**turn) for turn in each)) for each in turns]
    if form == "alpaca":
        return [
            talk(user(f"{row['instruction']}\n{row['input']}"), assistant(row["output"]))
            for row in json.loads((folder / "alpaca.json").read_text(encoding="utf-8"))
        ]
    found = json.loads((folder / "sharegpt_toolcall.json").read_text(encoding="utf-8"))
    return [
        talk(*map(turn, row["conversations"]), tools=tuple(json.loads(row["tools"])))
        for row in found
    ]


def turn(said: dict[str, str]) -> Message:
    if said["from"] == "function_call":
        call = json.loads(said["value"])
        return assistant("", tool_calls=(ToolCall(call["name"], json.dumps(call["arguments"])),))
    roles: dict[str, Any] = {"human": "user", "gpt": "assistant", "observation": "tool"}
    return Message(roles[said["from"]], said["value"])


def answers(chat: Conversation, end: str) -> Iterator[str]:
    for message in chat.messages:
        if message.role == "assistant":
            calls = (
                {"name": call.name, "arguments": json.loads(call.arguments)}
                for call in message.tool_calls
            )
            said = [
                f"<tool_call>\n{json.dumps(c, ensure_ascii=False)}\n</tool_call>" for c in calls
            ]
            yield "\n".join([*filter(None, [message.content]), *said]) + end


@pytest.mark.parametrize("form", FORMS)
def test_of_every_row_the_answers_are_trained_with_their_ends_and_nothing_else(form):
    model = os.environ.get("KITCHEN_TEST_MODEL")
    tokenizer = HuggingFaceTokenizer(Path(model)) if model else chatml_tokenizer(marked=False)
    renderer = get_renderer("auto", tokenizer)
    found = rows(form)
    assert len(found) >= 100
    for chat in found:
        (rendered,) = renderer.examples(chat, "all_assistant_messages")
        expected = "".join(answers(chat, tokenizer.decode(renderer.stop.tokens[:1])))
        assert trained_text(tokenizer, rendered) == expected
