"""A completion's text as its tokens come, over tokens that are bytes: any of them may cut a character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.adapters.completion_text import StopTexts, Transcript, stop_tokens
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE, ByteTokenizer
from kitchen_core.train.types import SamplingParams

TOKENIZER = ByteTokenizer()
NOISE = st.lists(st.integers(0, VOCAB_SIZE - 1), max_size=200)


def pieces(tokens):
    transcript = Transcript(TOKENIZER.decode)
    return [transcript.add(token) for token in tokens], transcript.rest


@given(st.text())
def test_a_character_comes_with_its_last_byte(text):
    given_at, rest = pieces(TOKENIZER.encode(text, literal=True))
    expected = [
        piece for character in text for piece in [""] * (len(character.encode()) - 1) + [character]
    ]
    assert (given_at, rest) == (expected, "") or "\ufffd" in text


@given(NOISE)
def test_no_text_is_lost_or_said_twice_whatever_the_bytes(tokens):
    given_at, rest = pieces(tokens)
    assert "".join(given_at) + rest == TOKENIZER.decode(tokens)


def test_long_noise_is_decoded_in_small_pieces():
    lengths = []

    def decode(tokens):
        lengths.append(len(tokens))
        return TOKENIZER.decode(tokens)

    transcript = Transcript(decode)
    said = "".join(transcript.add(0x82) for _ in range(5000)) + transcript.rest
    assert said == "\ufffd" * 5000
    assert max(lengths) < 64


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_stop_text_is_found_at_its_last_byte(text, stops):
    stops = [stop for stop in stops if "\ufffd" not in stop] or ["stop"]
    tokens = TOKENIZER.encode(text, literal=True)
    watch = StopTexts(stops, TOKENIZER.decode)
    found = next((n for n, token in enumerate(tokens, start=1) if watch.completed_by(token)), None)
    ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
    assert found == (len(text[: min(ends)].encode()) if ends else None)


def test_a_stop_text_may_name_a_control_token():
    watch = StopTexts(["<eos>"], TOKENIZER.decode)
    assert [watch.completed_by(token) for token in (ord("<"), ord("e"), 256)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("stop", "texts", "expected"),
    [((), (), (9,)), ((1,), (), (1,)), ((), ("x",), ()), ((1,), ("x",), (1,))],
)
def test_the_tokenizers_ends_stand_in_only_where_none_is_named(stop, texts, expected):
    params = SamplingParams(max_tokens=1, stop=stop, stop_texts=texts)
    assert stop_tokens(params, default=(9,)) == expected
