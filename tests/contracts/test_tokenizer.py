"""What every tokenizer does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen_core.train.types import Message

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


def test_the_mask_marks_what_the_assistant_says_and_its_end(tokenizer):
    rendered = tokenizer.render_chat(CHAT)
    assert len(rendered.tokens) == len(rendered.assistant_mask)
    marked = zip(rendered.tokens, rendered.assistant_mask, strict=True)
    said = [token for token, by_assistant in marked if by_assistant]
    assert tokenizer.decode(said, skip_special=True) == "4Yes ✓"
    assert said[-1] in tokenizer.eos_token_ids


def test_a_generation_prompt_is_what_the_answer_follows(tokenizer):
    prompt = tokenizer.render_chat(CHAT[:2], add_generation_prompt=True)
    whole = tokenizer.render_chat(CHAT[:3])
    assert whole.tokens[: len(prompt.tokens)] == prompt.tokens
    assert not any(prompt.assistant_mask)
    assert all(whole.assistant_mask[len(prompt.tokens) :])


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
