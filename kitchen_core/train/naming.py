"""Names that were nearly right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALIKE = 0.62
"""Twice the letters in common over the letters of both: a slip of the finger, not another word."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like a word, if one is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=_ALIKE)), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """did you mean ...?  or nothing: for the end of an error message."""
    close = closest(word, known)
    return f"; did you mean '{close}'?" if close else ""
