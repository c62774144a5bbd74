"""Only what is certain is decided without algebra."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.grading import certain_verdict, normalize_answer
from kitchen_core.train.grading.certain import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    fraction,
    is_readable,
    plain_number,
)


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("72", "72", "right"),
        ("72", "72.0", "right"),
        ("1000", "1,000", "right"),
        ("0.3", "0.30", "right"),
        ("72", "73", "wrong"),
        ("3.14", "3.14159", "wrong"),
        ("-5", "5", "wrong"),
        (r"\frac{1}{2}", r"\dfrac12", "right"),
        (r"\frac{1}{2}", "0.5", "right"),
        (r"\frac{7}{2}", "3 1/2", "right"),
        (r"\frac{1}{2}", "2/4", "right"),
        ("x=5", "5", "right"),
        (r"5\text{ cm}", "5", "right"),
        (r"\frac{1}{2}", "", "unparseable"),
        # these take algebra
        (r"\frac{1}{3}", "0.333", None),
        (r"\frac{31}{2}", "3 1/2", None),
        ("12", "1 2", None),
        ("x=5", "y=5", None),
        ("5", "x<=5", None),
        (r"5\text{ m}", r"5\text{ cm}", None),
        (r"5\text{ m}", r"500\text{ cm}", None),
        ("x+1", "1+x", None),
        ("1,2", "12", None),
        ("1,23", "123", None),
    ],
)
def test_equal_spellings_and_equal_numbers_are_right_and_other_numbers_wrong(gold, answer, verdict):
    assert certain_verdict(gold, answer) == verdict


@given(st.fractions(min_value=-1000, max_value=1000), st.fractions(min_value=-1000, max_value=1000))
def test_fractions_are_never_called_right_where_they_differ(one, other):
    first, second = (f"{each.numerator}/{each.denominator}" for each in (one, other))
    verdict = certain_verdict(first, second)
    assert (verdict == "right") == (one == other)


@given(st.integers(0, 99), st.integers(1, 99), st.integers(1, 99))
def test_a_mixed_number_is_the_sum_of_its_parts(whole, top, bottom):
    value = whole + Fraction(top, bottom)
    assert fraction(f"{whole} {top}/{bottom}") == value
    assert fraction(rf"-{whole}\frac{{{top}}}{{{bottom}}}") == -value


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**6), max_value=10**6
    )
)
def test_a_decimal_has_its_exact_value_with_commas_and_without(number):
    assert plain_number(str(number)) == plain_number(f"{number:,}") == Fraction(number)


@pytest.mark.parametrize(
    "text", ["", ".", "-", "1,00", "1/2", "٣", "1e9999", "0x10", "1_000", "nan"]
)
def test_what_is_no_plain_number_has_no_value(text):
    assert plain_number(text) is None


@pytest.mark.parametrize("text", ["1/0", r"2\frac{-1}{2}", "1/2/3", "a/b"])
def test_what_is_no_fraction_has_no_value(text):
    assert fraction(text) is None


def test_an_answer_has_bounds():
    assert is_readable("x" * MAX_CHARACTERS)
    assert not is_readable("x" * (MAX_CHARACTERS + 1))
    assert is_readable("(" * MAX_DEPTH)
    assert not is_readable("{[(" * MAX_DEPTH)
    assert is_readable("()" * MAX_DEPTH)
    assert not is_readable(" \n ")
    assert not is_readable("7\x007")


@given(st.text(max_size=200))
def test_any_text_has_a_spelling_and_agrees_with_itself(text):
    normalize_answer(text)
    expected = "right" if is_readable(text) else "unparseable"
    assert certain_verdict(text, text) == expected
