"""Environments by name."""

from __future__ import annotations

from kitchen_core.train.environments.arithmetic import Arithmetic
from kitchen_core.train.environments.base import Environment
from kitchen_core.train.environments.calculator import calculator
from kitchen_core.train.environments.math_problems import GSM8K, MATH
from kitchen_core.train.environments.question_answer import QuestionAnswer
from kitchen_core.train.environments.retries import with_retries
from kitchen_core.train.environments.tool_use import with_tools
from kitchen_core.train.environments.tools import tool
from kitchen_core.train.naming import nearest

_SHIPPED: tuple[Environment, ...] = (
    Arithmetic(),
    MATH,
    GSM8K,
    QuestionAnswer(),
    with_retries(MATH),
    with_tools(MATH, [tool(calculator)]),
)
_ENVIRONMENTS: dict[str, Environment] = {each.name: each for each in _SHIPPED}


def register_environment(environment: Environment) -> None:
    """Make an environment known by its name, for example from a recipe's module. Raises ValueError where
    the name is taken by another.
    """
    name = environment.name
    if _ENVIRONMENTS.get(name, environment) != environment:
        raise ValueError(f"there is an environment {name} already; take another name")
    _ENVIRONMENTS[name] = environment


def get_environment(name: str) -> Environment:
    """The environment of that name. Raises ValueError for a name that is not known."""
    if name not in _ENVIRONMENTS:
        known = ", ".join(_ENVIRONMENTS)
        raise ValueError(
            f"there is no environment '{name}'; known are {known}{nearest(name, _ENVIRONMENTS)}"
        )
    return _ENVIRONMENTS[name]


def environment_names() -> tuple[str, ...]:
    """Every name that is known."""
    return tuple(_ENVIRONMENTS)
