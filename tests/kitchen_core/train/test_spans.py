"""Tokens as text, in spans that are trained or not. Each byte is a token here."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE, ByteTokenizer
from kitchen_core.train.spans import Span, datum_spans, scored_texts, spans, token_texts
from kitchen_core.train.types import Datum

DECODE = ByteTokenizer().decode


def test_neighbours_of_one_kind_are_one_span():
    assert spans(b"What? That.", [False] * 6 + [True] * 5, DECODE) == [
        Span("What? ", False, 6),
        Span("That.", True, 5),
    ]


def test_control_tokens_are_shown():
    assert spans([258, 104, 105, 256], [False, True, True, True], DECODE) == [
        Span("<user>", False, 1),
        Span("hi<eos>", True, 3),
    ]


def test_a_character_across_a_border_belongs_to_where_it_ends():
    euro = "a€b".encode()  # 1 + 3 + 1 bytes
    assert spans(euro, [False, False, False, True, True], DECODE) == [
        Span("a", False, 3),
        Span("€b", True, 2),
    ]


def test_nothing_has_no_spans():
    assert spans([], [], DECODE) == []


def test_each_token_has_its_text_and_a_character_is_its_last_tokens():
    assert token_texts("a€b".encode(), DECODE) == ["a", "", "", "€", "b"]


def test_each_text_comes_with_the_logprob_of_its_token():
    logprobs = np.array([-0.5, -0.25], np.float32)
    assert scored_texts(b"hi", logprobs, DECODE) == [("h", -0.5), ("i", -0.25)]


def test_a_datum_is_shown_with_its_first_token_which_is_never_trained():
    tokens = np.frombuffer(b"hey", np.uint8).astype(np.int64)
    datum = Datum(tokens[:-1], tokens[1:], np.array([1.0, 0.5], np.float32))
    assert datum_spans(datum, DECODE) == [Span("h", False, 1), Span("ey", True, 2)]


@given(st.lists(st.tuples(st.integers(0, VOCAB_SIZE - 1), st.booleans())))
def test_the_spans_together_are_the_whole_text_and_all_tokens(marked):
    tokens, trained = [token for token, _ in marked], [flag for _, flag in marked]
    found = spans(tokens, trained, DECODE)
    assert "".join(span.text for span in found) == DECODE(tokens)
    assert [span.trained for span in found for _ in range(span.tokens)] == trained
