"""What can be said of an answer without an algebra system: only what is certain."""

from __future__ import annotations

import re
from fractions import Fraction

from kitchen_core.train.grading.base import Verdict
from kitchen_core.train.grading.normalization import agree, spelled

MAX_CHARACTERS = 1000
"""Longer answers are not read. The longest right answer of the MATH dataset has about 150."""
MAX_DEPTH = 30
"""Answers with brackets nested deeper than this are not read."""

_NUMBER = re.compile(
    r"[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\Z", re.ASCII
)
_FRACTION = re.compile(
    r"(?P<sign>-?)(?P<whole>\d+ ?)?"
    r"(?:\\frac\{(?P<top>-?\d+)\}\{(?P<bottom>\d+)\}|(?<!\d)(?P<over>\d+)/(?P<under>\d+))\Z",
    re.ASCII,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def certain_verdict(gold: str, answer: str) -> Verdict | None:
    """`right` where both are spelled the same or are exactly the same number, `wrong` where both are
    decimal numbers and differ, `unparseable` where the answer is empty or absurd (`is_readable`).

    None where it takes algebra to say.
    """
    if not is_readable(answer):
        return "unparseable"
    if agree(gold, answer):
        return "right"
    expected, given = plain_number(gold), plain_number(answer)
    if expected is not None and given is not None:
        return "right" if expected == given else "wrong"
    values = [
        value if value is not None else fraction(text)
        for value, text in ((expected, gold), (given, answer))
    ]
    return "right" if values[0] is not None and values[0] == values[1] else None


def is_readable(text: str) -> bool:
    """Whether a text can be an answer: some, no more than MAX_CHARACTERS, nested no deeper than
    MAX_DEPTH, and without control characters.
    """
    text = text.strip()
    return (
        0 < len(text) <= MAX_CHARACTERS and not _CONTROL.search(text) and _depth(text) <= MAX_DEPTH
    )


def plain_number(text: str) -> Fraction | None:
    """The exact value of a decimal number, with commas between thousands or none; None for all else."""
    text = text.strip().replace("−", "-")
    return Fraction(_pythonic(text)) if _NUMBER.match(text) else None


def fraction(text: str) -> Fraction | None:
    r"""The exact value of a fraction of whole numbers, mixed ones too (`3 1/2`, `3\frac12`); None for all
    else.
    """
    found = _FRACTION.match(spelled(text.strip()))
    if not found:
        return None
    top, bottom = int(found["top"] or found["over"]), int(found["bottom"] or found["under"])
    whole = int(found["whole"] or 0)
    if bottom == 0 or (top < 0 and whole):
        return None
    value = whole + Fraction(top, bottom)
    return -value if found["sign"] else value


def _pythonic(number: str) -> str:
    """A decimal number as Python spells it."""
    return re.sub(r"\.(?=[eE]|\Z)", "", number.replace(",", ""))


def _depth(text: str) -> int:
    """How deep brackets nest, of whatever kind."""
    depth = deepest = 0
    for sign in text:
        depth = max(0, depth + _BRACKETS.get(sign, 0))
        deepest = max(deepest, depth)
    return deepest
