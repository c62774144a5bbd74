"""A calculator for policies: exact arithmetic on a formula, and nothing else that Python can do."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction

MAX_CHARACTERS = 200
MAX_BITS = 4096
"""Numbers whose numerator or denominator is longer are refused: about 1,200 digits."""

_TOO_LARGE = "the number is too large"
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "^": "**"})

_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def calculator(expression: str) -> str:
    """Work out an arithmetic expression with + - * / // % ** and parentheses, such as (3 + 4) * 2.5."""
    if len(expression) > MAX_CHARACTERS:
        raise ValueError(f"the expression is longer than {MAX_CHARACTERS} characters")
    try:
        tree = ast.parse(_pythonic(expression), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(f"{expression!r} is no arithmetic expression") from None
    return _written(_value(tree.body))


def _pythonic(expression: str) -> str:
    return expression.strip().translate(_SPELLINGS).replace("****", "**")


def _value(node: ast.expr) -> Fraction:
    """The exact value of a formula. Raises ValueError for what is no arithmetic, or too large."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if number == math.inf:
                raise ValueError(_TOO_LARGE)
            return _bounded(Fraction(str(number)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(op=ast.Pow(), left=left, right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _OPERATORS:
            return _applied(_OPERATORS[type(op)], _value(left), _value(right))
        case _:
            raise ValueError("only numbers, + - * / // % ** and parentheses can be worked out")


def _applied(
    function: Callable[[Fraction, Fraction], Fraction | int], left: Fraction, right: Fraction
) -> Fraction:
    try:
        return _bounded(Fraction(function(left, right)))
    except ZeroDivisionError:
        raise ValueError("division by zero") from None


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise ValueError("an exponent must be a whole number")
    if base == 0 and exponent < 0:
        raise ValueError("division by zero")
    if abs(base) not in (0, 1) and abs(exponent) * (_bits(base) - 1) > MAX_BITS:
        raise ValueError(_TOO_LARGE)
    return _bounded(Fraction(base ** int(exponent)))


def _bounded(number: Fraction) -> Fraction:
    if _bits(number) > MAX_BITS:
        raise ValueError(_TOO_LARGE)
    return number


def _bits(number: Fraction) -> int:
    return max(number.numerator.bit_length(), number.denominator.bit_length())


def _written(number: Fraction) -> str:
    """A whole number in full, else up to ten significant digits."""
    if number.denominator == 1:
        return str(number.numerator)
    with localcontext(prec=10):
        return str(Decimal(number.numerator) / Decimal(number.denominator))
