"""Templates that mark nothing, refuse, or are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kitchen_core.adapters.torch_local.tokenizer import HuggingFaceTokenizer
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Message
from tests.contracts.models import MARKED_TEMPLATE, PLAIN_TEMPLATE, make_byte_tokenizer

CHAT = [Message("user", "hi"), Message("assistant", "yo")]


def make(folder: Path, template: str | None = MARKED_TEMPLATE) -> HuggingFaceTokenizer:
    make_byte_tokenizer(template).save_pretrained(folder)
    return HuggingFaceTokenizer(folder)


def test_a_template_without_marks_gives_no_mask(tmp_path):
    rendered = make(tmp_path, PLAIN_TEMPLATE).render_chat(CHAT)
    assert rendered.assistant_mask is None
    assert rendered.tokens == make(tmp_path / "marked").render_chat(CHAT).tokens


def test_a_template_that_refuses_says_why(tmp_path):
    with pytest.raises(InvalidRequest, match="no tools here") as refused:
        make(tmp_path).render_chat([Message("tool", "42")])
    assert refused.value.hint


def test_without_a_template_there_is_nothing_to_render_with(tmp_path):
    tokenizer = make(tmp_path, None)
    assert not tokenizer.has_chat_template
    with pytest.raises(InvalidRequest, match="no chat template"):
        tokenizer.render_chat(CHAT)


def test_generation_config_adds_its_ends(tmp_path):
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [258, 256]}))
    assert make(tmp_path).eos_token_ids == (256, 258)


def test_the_fingerprint_knows_the_template(tmp_path):
    marked, plain = make(tmp_path / "a"), make(tmp_path / "b", PLAIN_TEMPLATE)
    assert marked.fingerprint != plain.fingerprint
    assert marked.fingerprint == make(tmp_path / "c").fingerprint
