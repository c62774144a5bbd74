"""Templates that mark nothing, refuse, or are not there."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.builtin import model_folder
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Message
from tests.contracts.models import MARKED_TEMPLATE, PLAIN_TEMPLATE, make_byte_tokenizer

CHAT = [Message("user", "hi"), Message("assistant", "yo")]


def make(folder: Path, template: str | None = MARKED_TEMPLATE) -> HuggingFaceTokenizer:
    make_byte_tokenizer(template).save_pretrained(folder)
    return HuggingFaceTokenizer(folder)


def test_a_template_without_marks_marks_nothing(tmp_path):
    chat = make(tmp_path, PLAIN_TEMPLATE).chat_text(CHAT)
    assert chat.said is None
    assert chat.text == make(tmp_path / "marked").chat_text(CHAT).text


def test_marks_and_tokens_are_those_of_transformers(tmp_path):
    tokenizer = make(tmp_path)
    rendered = AutoTokenizer.from_pretrained(tmp_path).apply_chat_template(
        [message.to_json() for message in CHAT], return_dict=True, return_assistant_tokens_mask=True
    )
    chat = tokenizer.chat_text(CHAT)
    encoded = tokenizer.encode_with_spans(chat.text)
    assert encoded.tokens == rendered["input_ids"]
    assert chat.said is not None
    ((start, end),) = chat.said
    assert [int(start <= a < end) for a, _ in encoded.spans] == rendered["assistant_masks"]


def test_a_template_that_refuses_says_why(tmp_path):
    with pytest.raises(InvalidRequest, match="no tools here") as refused:
        make(tmp_path).chat_text([Message("tool", "42")])
    assert refused.value.hint


def test_without_a_template_there_is_nothing_to_render_with(tmp_path):
    tokenizer = make(tmp_path, None)
    assert not tokenizer.has_chat_template
    with pytest.raises(InvalidRequest, match="no chat template"):
        tokenizer.chat_text(CHAT)


def test_conversations_may_be_rendered_in_many_threads_at_once(tmp_path):
    tokenizer = make(tmp_path)
    expected = tokenizer.chat_text(CHAT)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: tokenizer.chat_text(CHAT), range(200))) == {expected}


def test_generation_config_adds_its_ends(tmp_path):
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [258, 256]}))
    assert make(tmp_path).eos_token_ids == (256, 258)


def test_the_fingerprint_knows_the_template(tmp_path):
    marked, plain = make(tmp_path / "a"), make(tmp_path / "b", PLAIN_TEMPLATE)
    assert marked.fingerprint != plain.fingerprint
    assert marked.fingerprint == make(tmp_path / "c").fingerprint


OTHERWISE = {
    "merges": lambda it: it["model"]["merges"].pop(),
    "normalizer": lambda it: it.update(normalizer={"type": "Lowercase"}),
    "pre-tokenizer": lambda it: it["pre_tokenizer"]["pretokenizers"].pop(0),
    "control tokens": lambda it: it["added_tokens"][0].update(lstrip=True),
}


@pytest.mark.parametrize("change", OTHERWISE.values(), ids=OTHERWISE)
def test_the_fingerprint_knows_how_text_is_cut_into_tokens(tmp_path, change):
    shutil.copytree(model_folder("tiny"), tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    written = json.loads(file.read_text())
    change(written)
    file.write_text(json.dumps(written))
    tiny, other = HuggingFaceTokenizer(model_folder("tiny")), HuggingFaceTokenizer(file.parent)
    assert tiny.fingerprint != other.fingerprint


def test_the_fingerprint_knows_the_ends(tmp_path):
    one = make(tmp_path).fingerprint
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [258]}))
    assert make(tmp_path).fingerprint != one


def test_the_fingerprint_knows_the_beginning(tmp_path):
    one = make(tmp_path).fingerprint
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "bos_token": "<system>"}))
    assert HuggingFaceTokenizer(tmp_path).fingerprint != one


@pytest.mark.parametrize("template", [PLAIN_TEMPLATE, MARKED_TEMPLATE], ids=["plain", "marked"])
def test_a_template_that_writes_the_date_writes_the_same_every_day(tmp_path, template):
    dated = "{{ strftime_now('%d %b %Y, %H:%M') }}\n" + template
    text = make(tmp_path, dated).chat_text(CHAT).text
    assert text.startswith("26 Jul 2024, 00:00\n")
