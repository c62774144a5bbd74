"""Text that is made of tokens, of which one may end in the middle of a character."""

from __future__ import annotations

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
_MOST_UNFINISHED = 3


def certain_length(text: str) -> int:
    """How many characters of a decoded prefix will stay as they are, whatever tokens follow.

    An unfinished character at the end decodes to one replacement character, or to one for each of
    its bytes, of which there are at most three (RFC 3629, section 3).
    """
    unfinished = len(text) - len(text.rstrip(UNFINISHED))
    return len(text) - min(unfinished, _MOST_UNFINISHED)
