"""Names that were nearly right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known name most like a word, if one is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """did you mean ...?  or nothing: for the end of an error message."""
    close = closest(word, known)
    return f"; did you mean '{close}'?" if close else ""
