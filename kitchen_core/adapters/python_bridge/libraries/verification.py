"""math-verify: whether an answer is worth the same as the right one.

Its own timeouts use signals and swallow what they interrupt, so they are off: the bridge kills instead.
"""

from __future__ import annotations

import logging
import warnings
from itertools import product
from typing import Any

import math_verify
from math_verify import ExprExtractionConfig, LatexExtractionConfig

_NO_TIMEOUT = 0
_TARGETS = (LatexExtractionConfig(), ExprExtractionConfig())

logging.getLogger("math_verify").setLevel(logging.CRITICAL)
logging.getLogger("latex2sympy2_extended").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")


def verify(gold: str, answer: str) -> str:
    """`right`, `wrong`, `unparseable` (the answer can't be read) or `unreadable_gold`.

    gold, answer: LaTeX or plain, without a box around it. Raises MemoryError.
    """
    golds, answers = _read(gold), _read(answer)
    if not golds:
        return "unreadable_gold"
    if not answers or (_expressions(golds) and not _expressions(answers)):
        return "unparseable"
    return "right" if any(_same(*pair) for pair in product(golds, answers)) else "wrong"


def parsed(text: str) -> list[str]:
    """What is read in an answer, as sympy prints it; empty where nothing is."""
    return [str(found) for found in _read(text)]


def _read(text: str) -> list[Any]:
    try:
        return math_verify.parse(
            _in_math(text), _TARGETS, parsing_timeout=_NO_TIMEOUT, raise_on_error=True
        )
    except MemoryError:
        raise
    except Exception:  # the parser raises anything at all for text that it can't read
        return []


def _expressions(found: list[Any]) -> list[Any]:
    """What was read as mathematics; the library gives the text as well, or alone where it read none."""
    return [each for each in found if not isinstance(each, str)]


def _in_math(text: str) -> str:
    """Between dollar signs, as the library expects LaTeX, unless it is already."""
    return text if text.startswith("$") or text.endswith("$") else f"${text}$"


def _same(gold: Any, answer: Any) -> bool:
    """Gold first: how assignments and intervals are read depends on which is which."""
    try:
        return math_verify.verify(gold, answer, timeout_seconds=_NO_TIMEOUT, raise_on_error=True)
    except MemoryError:
        raise
    except Exception:  # not shown to be the same, as the library has it
        return False
