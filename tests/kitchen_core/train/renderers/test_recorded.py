"""Tokens, weights, prompts and parsed completions equal tinker-cookbook's, as recorded with
`tests/fixtures/renderers/record.py`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers import Rendered, TrainOnWhat, get_renderer
from tests.kitchen_core.train.renderers.support import (
    FIXTURES,
    fixture_tokenizer,
    message,
    recorded,
)

RENDERERS = ("role_colon", "qwen3", "qwen3_instruct", "llama3")
UNUSED = "<UNUSED>"
"""What the cookbook's role_colon leaves behind a conversation that ends with the user: its stand-in
for a stop text that is not there. The kitchen leaves nothing.
"""
CASES = [(name, case) for name in RENDERERS for case in recorded(name)["cases"]]
PARSES = [(name, parse) for name in RENDERERS for parse in recorded(name)["parses"]]

each_case = pytest.mark.parametrize(
    ("name", "case"), CASES, ids=[f"{name}-{case['title']}" for name, case in CASES]
)


def conversation(case: dict[str, Any], *, marked: bool = False) -> Conversation:
    """The recorded turns; marked as they were for customized, every second one from the first on."""
    turns = tuple(
        message(turn, trainable=i % 2 == 0 if marked else None)
        for i, turn in enumerate(case["turns"])
    )
    return Conversation(turns, case["title"], tuple(case["tools"]))


def assert_same(rendered: Rendered, tokens: list[int], weights: str) -> None:
    unused = fixture_tokenizer().encode(UNUSED)
    if tokens[-len(unused) :] == unused:
        tokens, weights = tokens[: -len(unused)], weights[: -len(unused)]
    assert rendered.tokens == tokens
    assert "".join(str(int(on)) for on in rendered.trained) == weights


@pytest.mark.parametrize("name", RENDERERS)
def test_the_recording_belongs_to_this_tokenizer_and_these_conversations(name):
    tokenizer = (FIXTURES / "tokenizer" / "tokenizer.json").read_bytes()
    provenance = recorded(name)["provenance"]
    assert provenance["tokenizer_sha256"] == hashlib.sha256(tokenizer).hexdigest()
    assert provenance["packages"]["tinker-cookbook"] == "0.5.8"
    assert len(recorded(name)["cases"]) >= 9


@pytest.mark.parametrize("train_on", get_args(TrainOnWhat))
@each_case
def test_tokens_and_weights_are_the_recorded_ones(name, case, train_on):
    renderer = get_renderer(name, fixture_tokenizer())
    rendered = renderer.supervised(conversation(case, marked=train_on == "customized"), train_on)
    assert_same(rendered, case["tokens"], case["trained"][train_on])


@each_case
def test_prompts_are_the_recorded_ones(name, case):
    renderer = get_renderer(name, fixture_tokenizer())
    for turns, tokens in case["prompts"].items():
        assert renderer.prompt(conversation(case).upto(int(turns))) == tokens


@each_case
def test_examples_are_the_recorded_ones(name, case):
    renderer = get_renderer(name, fixture_tokenizer())
    for train_on, examples in case["examples"].items():
        made = renderer.examples(conversation(case), train_on)
        # where nothing is trained the recording has no example, and ours one that trains nothing
        trained = [each for each in made if any(each.trained)]
        for ours, (tokens, weights) in zip(trained, _trained(examples), strict=True):
            assert_same(ours, tokens, weights)


@pytest.mark.parametrize("name", RENDERERS)
def test_stop_and_extension_are_the_recorded_ones(name):
    renderer = get_renderer(name, fixture_tokenizer())
    stops = renderer.stop.texts or renderer.stop.tokens
    assert list(stops) == recorded(name)["stop"]
    assert renderer.extends == recorded(name)["extends"]


@pytest.mark.parametrize(
    ("name", "parse"), PARSES, ids=[f"{name}-{parse['text']!r}" for name, parse in PARSES]
)
def test_completions_are_read_as_recorded(name, parse):
    parsed = get_renderer(name, fixture_tokenizer()).parse(parse["tokens"])
    if "error" in parse:  # more than one end of turn
        assert not parsed.complete
        return
    clean = parse["termination"] != "malformed"
    unclosed = "<think>" in parse["text"] and "</think>" not in parse["text"]
    assert parsed.complete == (clean and not parse["unparsed"] and not unclosed)
    said, thinking = _parts(parse["content"])
    calls = [
        {"name": c.name, "arguments": json.loads(c.arguments)} for c in parsed.message.tool_calls
    ]
    assert calls == [
        {"name": c["name"], "arguments": json.loads(c["arguments"])} for c in parse["tool_calls"]
    ]
    assert parsed.message.thinking == thinking
    assert replace(parsed.message, thinking=None, tool_calls=()) == message(
        {"role": "assistant", "content": _kept(said, parse)}
    )


def _trained(examples: list[tuple[list[int], str]]) -> list[tuple[list[int], str]]:
    return [(tokens, weights) for tokens, weights in examples if "1" in weights]


def _parts(content: str | list[dict[str, str]]) -> tuple[str, str | None]:
    if isinstance(content, str):
        return content, None
    said = "".join(part["text"] for part in content if part["type"] == "text")
    thought = "\n".join(part["thinking"] for part in content if part["type"] == "thinking")
    return said, thought or None


def _kept(said: str, parse: dict[str, Any]) -> str:
    """The recorded text, as the kitchen keeps it: the line end before a call belongs to the call, and
    a call that can't be read stays in the text.
    """
    if parse["unparsed"] and "</tool_call>" in parse["text"]:
        return said + "".join(parse["unparsed"])
    for _ in parse["tool_calls"]:
        said = said.removesuffix("\n")
    return said
