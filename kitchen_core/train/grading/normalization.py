r"""Answers in one spelling, after the MATH dataset's own rules (Hendrycks et al. 2021), which
tinker-cookbook and others grade by: `\dfrac12`, `1/2` and `0.5` are all `\frac{1}{2}`.

Where a rule of theirs makes different answers the same, or gives up, the rule here is another: the
tests list each case.
"""

from __future__ import annotations

import re

_TEXT = re.compile(r"\\text\{(?P<text>[^{}]+)\}\Z", re.DOTALL)
_LEFT_OUT = re.compile(
    r"\n"
    r"|\\!"  # a negative space
    r"|\\(?:left|right)(?![a-zA-Z])"
    r"|\^\{?\\circ\}?(?![a-zA-Z])"  # degrees
    r"|\\\$"
    r"|\\%"
)
_UNIT = re.compile(r"\\text\{ .*\Z", re.DOTALL)
_SPACE = re.compile(r"(?<=\d) +(?=\d)| +", re.ASCII)
_NAMED = re.compile(r"(?P<name>[^=]{1,2})=(?P<value>[^=]*)\Z", re.DOTALL)
_FRACTION = re.compile(r"(-?)(\d+)/(-?\d+)\Z", re.ASCII)
_BARE_SQRT = re.compile(r"\\sqrt(?=[^{\[\s\\a-zA-Z])(.)|\\sqrt\s+([a-zA-Z0-9])|\\sqrt(?=\s*\\)")
_BARE_FRAC = re.compile(
    r"\\frac(?P<space>\s*)(?P<top>\{[^{}]*\}|[0-9a-zA-Z])\s*(?P<bottom>\{[^{}]*\}|[0-9a-zA-Z])"
)


def normalize_answer(text: str) -> str:
    """The answer in one spelling. Equal spellings are equal answers; different ones may be, too."""
    return _fractions(_without_name(_trimmed(text)))
