r"""Answers in one spelling, after the MATH dataset's own rules (Hendrycks et al. 2021), which
tinker-cookbook and others grade by: `\dfrac12`, `1/2` and `.5` are all `\frac{1}{2}`.

Where a rule of theirs makes different answers the same, or gives up, the rule here is another: the
parity test lists each case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"\\text\{([^{}]+)\}\Z")
_UNIT = re.compile(r"\\text\{ [^{}]*\}\Z")
_NAME = re.compile(r"([a-zA-Z]\w?)\s*=(?!=)", re.ASCII)
_LEFT_OUT = re.compile(
    r"\n"
    r"|\\!"  # a negative space
    r"|\\(?:left|right)(?![a-zA-Z])"
    r"|\^\{\\circ\}|\^\\circ(?![a-zA-Z])"  # degrees
    r"|\\\$"
    r"|\\%"
)
_BARE_POINT = re.compile(r"(?<![\d])\.(?=\d)", re.ASCII)
_ARGUMENT = r"(\{[^{}]*\}|[0-9a-zA-Z])"
_FRAC = re.compile(rf"\\[dt]?frac\s*{_ARGUMENT}\s*{_ARGUMENT}")
_OTHER_FRAC = re.compile(r"\\[dt]frac(?![a-zA-Z])")
_SQRT = re.compile(r"\\sqrt\s*([0-9a-zA-Z])")
_APART = re.compile(r"(?<=\d)\s+(?=\d)", re.ASCII)
_SPACES = re.compile(r"(?<!\d)\s+|\s+(?!\d)", re.ASCII)
_SLASH = re.compile(r"(-?\d+)/(-?\d+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Parts:
    """An answer taken apart: the value, and the name and the unit that it is written with."""

    value: str
    name: str
    unit: str


def normalize_answer(text: str) -> str:
    r"""The answer in one spelling, without spaces, units, degrees, signs of percent and currency, and
    the name of a variable (`x=5` is `5`).
    """
    return spelled(_taken_apart(text).value)


def agree(first: str, second: str) -> bool:
    """Whether two answers are spelled the same, and none says of itself what the other denies: another
    variable's name, another unit.
    """
    one, other = _taken_apart(first), _taken_apart(second)
    if spelled(one.value) != spelled(other.value):
        return False
    return all(
        not mine or not theirs or mine == theirs
        for mine, theirs in ((one.name, other.name), (one.unit, other.unit))
    )


def _taken_apart(text: str) -> _Parts:
    text = text.strip()
    if whole := _TEXT.match(text):
        text = whole[1].strip()
    unit = _UNIT.search(text)
    if unit and unit.start() > 0:
        text = text[: unit.start()]
    name = _NAME.match(text)
    if name and "=" not in text[name.end() :]:
        text = text[name.end() :]
    return _Parts(text, name[1] if name else "", unit[0] if unit else "")


def spelled(value: str) -> str:
    """A value in one spelling, with whatever is written beside it."""
    value = _LEFT_OUT.sub("", value.replace(r"\\", "\\"))
    value = _BARE_POINT.sub("0.", value)
    value = _OTHER_FRAC.sub(r"\\frac", _FRAC.sub(_with_braces, value))
    value = _SQRT.sub(r"\\sqrt{\1}", value)
    value = _APART.sub(" ", _SPACES.sub("", value))  # `3 1/2` is not 31/2
    if value == "0.5":
        return r"\frac{1}{2}"
    return _SLASH.sub(r"\\frac{\1}{\2}", value) if _SLASH.match(value) else value


def _with_braces(frac: re.Match[str]) -> str:
    r"""`\frac` with both arguments in braces."""
    top, bottom = (argument.strip("{}") for argument in frac.groups())
    return rf"\frac{{{top}}}{{{bottom}}}"
