"""Answers are found where they stand, in time proportional to the text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.grading import behind_hashes, last_boxed, last_integer, last_number


@pytest.mark.parametrize(
    ("text", "boxed"),
    [
        (r"So it is \boxed{5}.", "5"),
        (r"\boxed{1}, no, \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2^{3}}}", r"\frac{1}{2^{3}}"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed{]0,1\}}", r"]0,1\}"),
        (r"\boxed {5}", "5"),
        (r"\\boxed{5}", "5"),
        (r"\boxed{a\boxed{b}c}", r"a\boxed{b}c"),
        (r"} oops { \boxed{5}", "5"),
        (r"\boxed{5} and \boxed{6", "5"),
        (r"\boxed 5", "5"),
        (r"\boxed{}", ""),
        (r"\boxed{5", None),
        (r"\fbox{5}", None),
        ("boxed{5}", None),
        ("", None),
    ],
)
def test_the_last_box_with_balanced_braces_is_the_answer(text, boxed):
    assert last_boxed(text) == boxed


@given(st.text(alphabet="ab{}\\ "), st.text(alphabet="xyz +12", min_size=1))
def test_a_box_is_found_behind_anything_that_does_not_escape_it(before, answer):
    assert last_boxed(f"{before.rstrip(chr(92))} \\boxed{{{answer}}}") == answer


@pytest.mark.parametrize(
    "text", [r"\boxed{" * 20_000, "{" * 100_000, r"\boxed " * 20_000, "}" * 100_000]
)
def test_unbalanced_text_takes_no_longer_than_any_other(text):
    began = time.process_time()
    assert last_boxed(text) in (None, "boxed")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("48/2 = <<48/2=24>>24\n#### 72", "72"),
        ("#### 1,234", "1234"),
        ("####: 5", "5"),
        ("#### 1\n#### 2", "2"),
        ("#### -7 ", "-7"),
        ("####", None),
        ("72", None),
    ],
)
def test_the_answer_behind_hashes_comes_without_commas(text, answer):
    assert behind_hashes(text) == answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("from 3 to 4.5 apples", "4.5"),
        ("it costs $1,234.50.", "1,234.50"),
        ("-7", "-7"),
        ("5-3", "3"),
        (".5", ".5"),
        ("version 1.2.3", "1.2"),
        ("none", None),
    ],
)
def test_the_last_number_is_found_as_it_stands(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "integer"),
    [
        ("3 + 4 = 7", 7),
        ("It is 1,234!", 1234),
        ("-5", -5),
        ("x", None),
        ("٣", None),
        ("9" * 5000, None),
    ],
)
def test_the_last_integer_has_ascii_digits_and_a_sound_length(text, integer):
    assert last_integer(text) == integer
