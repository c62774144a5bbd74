"""What every tokenizer does."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen_core.train.ports.errors import NotFound
from kitchen_core.train.types import Message, ModelSource

CHAT = [
    Message("system", "Be brief."),
    Message("user", "2 + 2?"),
    Message("assistant", "4"),
    Message("user", "Sure?"),
    Message("assistant", "Yes ✓"),
]


@pytest.fixture
def tokenizer(session):
    return session.tokenizer


@given(st.text(alphabet=st.characters(blacklist_characters="<", blacklist_categories=["Cs"])))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_comes_back_as_it_was(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_encode_adds_nothing(tokenizer):
    whole = tokenizer.encode("one two")
    assert tokenizer.encode("one") + tokenizer.encode(" two") == whole


def test_tokens_cover_the_text_without_a_gap(tokenizer):
    text = " Sure?\n\n  Yes ✓ "
    encoded = tokenizer.encode_with_spans(text)
    assert encoded.tokens == tokenizer.encode(text)
    assert encoded.spans[0][0] == 0
    assert encoded.spans[-1][1] == len(text)
    assert all(
        start <= after[0] <= end
        for (start, end), after in zip(encoded.spans, encoded.spans[1:], strict=False)
    )


def test_literally_a_control_token_is_the_text_that_it_is(tokenizer):
    (end, *_) = tokenizer.eos_token_ids
    text = tokenizer.decode([end])
    assert tokenizer.encode(text) == [end]
    literally = tokenizer.encode(text, literal=True)
    assert end not in literally
    assert tokenizer.decode(literally) == text


def test_a_token_has_an_id_by_its_exact_text(tokenizer):
    (end, *_) = tokenizer.eos_token_ids
    assert tokenizer.token_id(tokenizer.decode([end])) == end
    assert tokenizer.token_id("a") == tokenizer.encode("a")[0]
    assert tokenizer.token_id("no token is called this") is None


def test_a_chat_begins_with_the_token_that_texts_begin_with_where_there_is_one(tokenizer):
    tokens = tokenizer.encode(tokenizer.chat_text(CHAT).text)
    assert tokenizer.bos_token_id in (None, tokens[0])


def test_the_marks_are_what_the_assistant_says_and_its_end(tokenizer):
    chat = tokenizer.chat_text(CHAT)
    end = tokenizer.decode(tokenizer.eos_token_ids[:1])
    assert [chat.text[start:stop] for start, stop in chat.said] == ["4" + end, "Yes ✓" + end]


def test_a_generation_prompt_is_what_the_answer_follows(tokenizer):
    prompt = tokenizer.chat_text(CHAT[:2], add_generation_prompt=True)
    whole = tokenizer.chat_text(CHAT[:3])
    assert whole.text.startswith(prompt.text)
    assert prompt.said == ()
    assert whole.said == ((len(prompt.text), len(whole.text)),)
    prompt_tokens, tokens = tokenizer.encode(prompt.text), tokenizer.encode(whole.text)
    assert tokens[: len(prompt_tokens)] == prompt_tokens


def test_a_template_without_a_place_for_tools_leaves_them_out(tokenizer):
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
    assert tokenizer.chat_text(CHAT, tools=tools) == tokenizer.chat_text(CHAT)


def test_skip_special_leaves_out_control_tokens(tokenizer):
    tokens = [*tokenizer.encode("hi"), *tokenizer.eos_token_ids]
    assert tokenizer.decode(tokens, skip_special=True) == "hi"
    assert tokenizer.decode(tokens) != "hi"


async def test_equal_tokenizers_have_equal_fingerprints(start):
    one, other = await start(), await start()
    assert one.tokenizer.fingerprint == other.tokenizer.fingerprint
    assert len(one.tokenizer.fingerprint) == 64


def test_it_has_an_end_and_a_chat_template(tokenizer):
    assert tokenizer.eos_token_ids
    assert tokenizer.has_chat_template


async def test_the_client_gives_it_without_a_session(backend, tokenizer):
    alone = await backend.client.tokenizer(backend.spec.model)
    assert alone.fingerprint == tokenizer.fingerprint
    assert alone.eos_token_ids == tokenizer.eos_token_ids


async def test_it_needs_no_weights(backend, tokenizer, tmp_path):
    lean = tmp_path / "lean"
    shutil.copytree(backend.spec.model.folder, lean, ignore=shutil.ignore_patterns("*.safetensors"))
    alone = await backend.client.tokenizer(ModelSource("org/tiny", lean))
    assert alone.fingerprint == tokenizer.fingerprint


async def test_of_a_folder_without_a_model_is_refused(backend, tmp_path):
    with pytest.raises(NotFound) as refused:
        await backend.client.tokenizer(ModelSource("x", tmp_path / "nowhere"))
    assert refused.value.hint
