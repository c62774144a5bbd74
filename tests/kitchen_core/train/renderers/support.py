"""Tokenizers, conversations and a reading of what a renderer made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import AutoTokenizer

from kitchen_core import builtin
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.renderers import Rendered
from kitchen_core.train.types import Message, ToolCall

FIXTURES = Path(__file__).parents[3] / "fixtures" / "renderers"


@cache
def fixture_tokenizer() -> HuggingFaceTokenizer:
    """The one that the recorded renderings were made with; it has no chat template."""
    return HuggingFaceTokenizer(FIXTURES / "tokenizer")


@cache
def tiny_tokenizer() -> HuggingFaceTokenizer:
    return HuggingFaceTokenizer(builtin.model_folder("tiny"))


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@cache
def chatml_tokenizer(*, marked: bool) -> HuggingFaceTokenizer:
    """The recorded one's vocabulary with ChatML as its template; its merges join line ends."""
    made = AutoTokenizer.from_pretrained(
        FIXTURES / "tokenizer", eos_token="<|im_end|>", bos_token=None
    )
    unmarked = CHATML.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    made.chat_template = CHATML if marked else unmarked
    with TemporaryDirectory() as folder:
        made.save_pretrained(folder)
        return HuggingFaceTokenizer(Path(folder))


@cache
def recorded(renderer: str) -> dict[str, Any]:
    return json.loads((FIXTURES / f"{renderer}.json").read_text(encoding="utf-8"))


def message(turn: Mapping[str, Any], **more: Any) -> Message:
    """A turn as the fixtures spell it."""
    calls = tuple(ToolCall(**call) for call in turn.get("tool_calls", ()))
    said = {key: value for key, value in turn.items() if key != "tool_calls"}
    return Message(**said, tool_calls=calls, **more)


def user(content: str) -> Message:
    return Message("user", content)


def assistant(content: str, **more: Any) -> Message:
    return Message("assistant", content, **more)


def talk(*messages: Message, tools: tuple[Mapping[str, Any], ...] = ()) -> Conversation:
    return Conversation(messages, "test row 1", tools)


def trained_text(tokenizer: HuggingFaceTokenizer, rendered: Rendered) -> str:
    """What is trained, control tokens included."""
    marked = zip(rendered.tokens, rendered.trained, strict=True)
    return tokenizer.decode([token for token, on in marked if on])
