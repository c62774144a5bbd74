"""Plain texts as sequences: whole, and nothing in them taken for control."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.adapters.memory.tokenizer import EOS, ByteTokenizer
from kitchen_core.train.conversations import Conversation, Document
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.types import Message
from tests.kitchen_core.train.renderers.support import tiny_tokenizer

BEGIN = "<|begin|>"


def preparation(tokenizer, max_length=64):
    renderer = get_renderer("auto", tokenizer)
    return Preparation(renderer, tokenizer, "all_assistant_messages", max_length)


@given(st.text(alphabet="abc", min_size=1, max_size=50), st.integers(2, 12))
def test_every_token_of_a_long_text_is_predicted_once(text, max_length):
    sequences = preparation(ByteTokenizer(), max_length).sequences(Document(text))
    assert all(2 <= len(each.tokens) <= max_length for each in sequences)
    predicted = [token for each in sequences for token in each.tokens[1:]]
    assert [*sequences[0].tokens[:1], *predicted] == [*text.encode(), EOS]
    assert all(all(each.trained) for each in sequences)


def test_a_text_stands_between_the_tokens_that_begin_and_end_texts():
    tokenizer = tiny_tokenizer()
    (sequence,) = preparation(tokenizer).sequences(Document("a b"))
    first, *text, last = sequence.tokens
    assert (first, last) == (tokenizer.token_id(BEGIN), tokenizer.eos_token_ids[0])
    assert text == tokenizer.encode("a b")


@pytest.mark.parametrize("control", [BEGIN, "<|user|>", "<|assistant|>"])
def test_a_control_token_in_a_text_is_the_text_that_it_is(control):
    tokenizer = tiny_tokenizer()
    assert tokenizer.token_id(control) is not None
    (sequence,) = preparation(tokenizer).sequences(Document(f"a {control} b"))
    assert tokenizer.token_id(control) not in sequence.tokens[1:]
    assert tokenizer.decode(sequence.tokens[1:-1]) == f"a {control} b"


def test_a_conversation_is_cut_at_the_end():
    said = Conversation((Message("user", "x" * 20), Message("assistant", "y" * 20)))
    how = preparation(ByteTokenizer(), 30)
    (whole,) = how.rendered(said)
    (cut,) = how.sequences(said)
    assert cut.tokens == whole.tokens[:30]
