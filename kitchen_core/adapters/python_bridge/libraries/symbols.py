"""sympy: expressions written as in Python.

`parse_expr` evaluates Python code, so the text is held to numbers, names and operators before.
"""

from __future__ import annotations

import re

import sympy
from sympy.parsing.sympy_parser import (
    convert_xor,
    implicit_multiplication_application,
    parse_expr,
    standard_transformations,
)

_TRANSFORMATIONS = (*standard_transformations, implicit_multiplication_application, convert_xor)
_READABLE = re.compile(r"[0-9A-Za-z_+\-*/^().,\s]*\Z", re.ASCII)
_CODE = re.compile(r"__|\.\s*[A-Za-z_]|[A-Za-z_]\w*\s*\.|\b(lambda|import|exec|eval)\b")


def equal(first: str, second: str) -> bool:
    """Whether the difference of two expressions simplifies to zero. Raises ValueError for what is no
    expression.
    """
    return bool(sympy.simplify(_expression(first) - _expression(second)) == 0)


def simplified(text: str) -> str:
    """An expression in its simplest form. Raises ValueError for what is no expression."""
    return str(sympy.simplify(_expression(text)))


def _expression(text: str) -> sympy.Expr:
    if not _READABLE.match(text) or _CODE.search(text):
        raise ValueError(f"{text[:80]!r} is no expression of numbers, names and operators")
    try:
        found = parse_expr(text, transformations=_TRANSFORMATIONS)
    except (SyntaxError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} can't be read as an expression") from error
    if not isinstance(found, sympy.Expr):
        raise ValueError(f"{text[:80]!r} is no expression but a {type(found).__name__}")
    return found
