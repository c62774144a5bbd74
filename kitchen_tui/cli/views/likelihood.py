"""Tokens marked by how likely they were: to the model that said them, or to it against its teacher."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from rich.text import Text

from kitchen_tui.cli.views.tokens import Mark, marked_text

_PLAIN = Mark("", "")

SURPRISES = (
    (0.01, Mark("under 1 %", "bold red reverse", "‹‹‹", "›››")),
    (0.1, Mark("under 10 %", "bold red underline", "‹‹", "››")),
    (0.5, Mark("under 50 %", "yellow underline", "‹", "›")),
)
"""Marks of tokens that were less likely than a share, the least likely first."""

DOUBTED = (
    (10.0, Mark("10× less likely", "bold red underline", "‹‹", "››")),
    (2.0, Mark("2× less", "yellow underline", "‹", "›")),
)
"""Marks of tokens that the student finds so many times as likely as its teacher, the most doubted first."""

FAVOURED = Mark("2× more", "green underline", "›", "‹")
"""The mark of tokens that the teacher finds at least twice as likely as the student."""

Scored = tuple[str, float | None]
Compared = tuple[str, float | None, float | None]
"""A token's text with its logprob to the student and to the teacher."""


def scored_text(tokens: Iterable[Scored], *, color: bool) -> Text:
    """What a model said, its surprising tokens marked. A logprob may be unknown."""
    whole = ((text, logprobs[0]) for text, logprobs in _whole((t, (lp,)) for t, lp in tokens))
    return marked_text(((text, _surprise(logprob)) for text, logprob in whole), color=color)


def compared_text(tokens: Iterable[Compared], *, color: bool) -> Text:
    """What was said, marked where student and teacher find it unlike likely."""
    spans = ((text, _doubt(student, teacher)) for text, student, teacher in whole_tokens(tokens))
    return marked_text(spans, color=color)


def whole_tokens(tokens: Iterable[Compared]) -> Iterator[Compared]:
    """The tokens with those that spell one character together made one."""
    for text, (student, teacher) in _whole((t, (s, u)) for t, s, u in tokens):
        yield text, student, teacher


def gap(student: float | None, teacher: float | None) -> float | None:
    """How many nats likelier a token is to the student than to its teacher; None where one is not known."""
    return None if student is None or teacher is None else student - teacher


def _surprise(logprob: float | None) -> Mark:
    if logprob is None:
        return _PLAIN
    return next((mark for share, mark in SURPRISES if logprob < math.log(share)), _PLAIN)


def _doubt(student: float | None, teacher: float | None) -> Mark:
    nats = gap(student, teacher)
    if nats is None:
        return _PLAIN
    if nats <= -math.log(2):
        return FAVOURED
    return next((mark for times, mark in DOUBTED if nats >= math.log(times)), _PLAIN)


def _whole(
    tokens: Iterable[tuple[str, tuple[float | None, ...]]],
) -> Iterator[tuple[str, tuple[float | None, ...]]]:
    """A token without a text belongs to the character that a later one completes: their logprobs add."""
    held: tuple[float | None, ...] | None = None
    for text, logprobs in tokens:
        if held is not None:
            logprobs = tuple(map(_sum, held, logprobs))
        held = None if text else logprobs
        if text:
            yield text, logprobs


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other
