"""An adapter's options: their names, types and defaults, as its factory's signature says."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from kitchen_core.train.ports.adapter import Adapter, PortName

_GIVEN = ("secrets", "notify")
"""What the wiring gives beside the options."""

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_UNCOUNTED = (_WORDS[str], _WORDS[bool])


class WrongType(ValueError):  # noqa: N818 - named by the condition
    """An option's value is of another type than its factory takes. The message says what was expected."""


@dataclass(frozen=True)
class Option:
    """One option of an adapter at one port. default: None where it is required, or by itself."""

    name: str
    description: str
    annotation: Any
    required: bool
    default: Any

    @property
    def kind(self) -> str:
        """Its type, in words."""
        return _in_words(self.annotation)

    def typed(self, value: Any) -> Any:
        """A value as its factory takes it. Text is read as the type spells it, lists and tables as JSON,
        and `none` leaves out what may be left out. Raises WrongType.
        """
        if isinstance(value, str):
            value = self._read(value)
        try:
            types = TypeAdapter(self.annotation, config=ConfigDict(allow_inf_nan=False))
        except PydanticSchemaGenerationError:  # a type that only its own package knows
            return value
        try:
            return types.validate_python(value, strict=not isinstance(value, str))
        except ValidationError:
            expected = self.kind if self.kind in _UNCOUNTED else f"a {self.kind}"
            raise WrongType(f"{self.name}: given {value!r}, expected {expected}") from None

    def _read(self, text: str) -> Any:
        if text.lower() == "none" and NoneType in get_args(self.annotation):
            return None
        if text[:1] in ("[", "{") and _plain(self.annotation) is not str:
            try:
                return json.loads(text)
            except json.JSONDecodeError:
                return text
        return text


def options_of(adapter: Adapter, port: PortName) -> dict[str, Option]:
    """The options that an adapter has at a port: the parameters of its factory that it describes, and
    those that have to be given.
    """
    factory = adapter.ports[port]
    return {
        parameter.name: Option(
            parameter.name,
            adapter.options.get(parameter.name, ""),
            _annotation(parameter, factory),
            required=parameter.default is parameter.empty,
            default=None if parameter.default is parameter.empty else parameter.default,
        )
        for parameter in inspect.signature(factory).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.name not in _GIVEN
        and (parameter.name in adapter.options or parameter.default is parameter.empty)
    }


def _annotation(parameter: inspect.Parameter, factory: Callable[..., Any]) -> Any:
    """A parameter's type; Any where there is none, or only a type checker can know it."""
    if parameter.annotation is parameter.empty:
        return Any
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    try:
        return eval(parameter.annotation, _namespace(factory))
    except (NameError, AttributeError, SyntaxError, TypeError):
        return Any


def _namespace(factory: Callable[..., Any]) -> dict[str, Any]:
    """The names that a factory's annotations are written with."""
    while isinstance(factory, partial):
        factory = factory.func
    made = factory.__init__ if isinstance(factory, type) else inspect.unwrap(factory)
    return dict(getattr(made, "__globals__", {}))


def _plain(annotation: Any) -> Any:
    """A type without its `| None`."""
    if get_origin(annotation) not in (Union, UnionType):
        return annotation
    others = [each for each in get_args(annotation) if each is not NoneType]
    return others[0] if len(others) == 1 else annotation


def _in_words(annotation: Any) -> str:
    plain = _plain(annotation)
    if plain in _WORDS:
        return _WORDS[plain]
    origin, inner = get_origin(plain), get_args(plain)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"table of {_in_words(inner[-1])}"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return f"list of {_in_words(inner[0])}"
    return "value" if plain is Any else str(getattr(plain, "__name__", plain))
