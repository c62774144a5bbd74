r"""Finding the answer in a text: in `\boxed{}`, behind `####`, or the last number.

Every search takes time in proportion to the text, whatever is in it. Digits are ASCII digits.
"""

from __future__ import annotations

import re

_BRACES = re.compile(r"(?P<box>\\+boxed\s*\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_UNBRACED = re.compile(r"\\boxed\s+([a-zA-Z0-9]+)")
_BEHIND_HASHES = re.compile(r"####[ \t]*:?[ \t]*([^\n]*)")
_NUMBER = re.compile(r"(?<![\d.])-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)", re.ASCII)
_INTEGER = re.compile(r"-?\d+", re.ASCII)


def last_boxed(text: str) -> str | None:
    r"""What is in the last `\boxed{...}` whose braces are balanced, the outermost where boxes are
    nested; else what follows the last `\boxed ` without braces; None where there is no box.

    A brace written `\{` is a sign and closes nothing.
    """
    found: tuple[int, int] | None = None
    opened: list[tuple[bool, int]] = []
    for token in _BRACES.finditer(text):
        if token["box"] or token["open"]:
            opened.append((token["box"] is not None, token.end()))
        elif token["close"] and opened:
            boxed, start = opened.pop()
            if boxed:
                found = start, token.start()
    if found:
        return text[slice(*found)]
    unbraced = _UNBRACED.findall(text)
    return unbraced[-1] if unbraced else None


def behind_hashes(text: str) -> str | None:
    """The final answer of a GSM8K solution: what follows the last `####` on its line, without commas;
    None where nothing does.
    """
    found = _BEHIND_HASHES.findall(text)
    return found[-1].replace(",", "").strip() or None if found else None


def last_number(text: str) -> str | None:
    """The last decimal number of a text, as it stands there; None where there is none."""
    found = _NUMBER.findall(text)
    return found[-1] if found else None


def last_integer(text: str) -> int | None:
    """The last whole number of a text, commas left out; None where there is none, or one with more than
    1,000 digits.
    """
    found = _INTEGER.findall(text.replace(",", ""))
    return int(found[-1]) if found and len(found[-1]) <= 1000 else None
