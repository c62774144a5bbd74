"""What is wrong with a value, in one line: the key, what was given, what was expected."""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kitchen_core.train.naming import nearest

MOST_SHOWN = 60
"""Characters of a value that is repeated to its giver."""


def explain(error: ValidationError, model: type[BaseModel] | None = None, source: str = "") -> str:
    """pydantic's first error as one line, and how many there are besides."""
    first, *others = error.errors()
    path = [str(part) for part in first["loc"] if not _is_union_branch(part)]
    more = f" (and {len(others)} more)" if others else ""
    if first["type"] == "extra_forbidden":
        return source_prefix(source) + _unknown(path, model) + more
    if not path:  # how the values go together
        return f"{source_prefix(source)}{_expected(first)}{more}"
    key = ".".join(path)
    unit = _unit_of(model, key) if model else ""
    return f"{source_prefix(source)}{key}: {_contrast(first)}{unit}{more}"


def given_and_expected(error: ValidationError) -> str:
    """pydantic's first error where the value has a name already: `given 'x', expected a whole number`."""
    return _contrast(error.errors()[0])


def source_prefix(source: str) -> str:
    """Where a value came from, for the beginning of a message."""
    return f"{source}: " if source else ""


def shown(value: Any) -> str:
    """A value on one line, cut where it is long."""
    if value is None:
        return "none"
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    text = f"{text[:MOST_SHOWN]}..." if len(text) > MOST_SHOWN else text
    return f"'{text}'" if isinstance(value, str) else text


def _contrast(error: ErrorDetails) -> str:
    return f"given {shown(error.get('input'))}, expected {_expected(error)}"


def _unknown(path: list[str], model: type[BaseModel] | None) -> str:
    *outer, key = path
    inner = _inside(model, outer)
    hint = nearest(key, list(inner.model_fields)) if inner else ""
    return f"{'.'.join(outer)}{': ' if outer else ''}unknown setting '{key}'{hint}"


def _inside(model: type[BaseModel] | None, path: list[str]) -> type[BaseModel] | None:
    """The model at a place in a model: of a field, or of the values of a field that maps names."""
    for part in path:
        if model is None:
            return None
        if (field := model.model_fields.get(part)) is None:
            continue  # a key of the mapping whose values' model this is
        kinds = (field.annotation, *get_args(field.annotation))
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        model = models[0] if models else None
    return model


def _unit_of(model: type[BaseModel], key: str) -> str:
    field = model.model_fields.get(key)
    extra = field.json_schema_extra if field else None
    return f" [{extra['unit']}]" if isinstance(extra, dict) and "unit" in extra else ""


def _is_union_branch(part: Any) -> bool:
    return isinstance(part, str) and part in {"int", "float", "str", "bool", "none"}


def _expected(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            return f"{_number(context['ge'])} or more"
        case "greater_than":
            return f"more than {_number(context['gt'])}"
        case "less_than_equal":
            return f"{_number(context['le'])} or less"
        case "less_than":
            return f"less than {_number(context['lt'])}"
        case "finite_number":
            return "a finite number"
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "a whole number"
        case "float_parsing" | "float_type":
            return "a number"
        case "bool_parsing" | "bool_type":
            return "true or false"
        case "string_type":
            return "text"
        case "string_too_short":
            return f"text of {_characters(context['min_length'])} or more"
        case "string_too_long":
            return f"text of {_characters(context['max_length'])} at most"
        case "list_type" | "tuple_type":
            return "a list"
        case "path_type":
            return "a path"
        case "dict_type":
            return (
                f'names with values in JSON, as in {{"NAME": ...}}{_json_fault(error.get("input"))}'
            )
        case "literal_error":
            return str(context["expected"])
        case _:
            return error["msg"].removeprefix("Value error, ")


def _number(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _characters(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"


def _json_fault(value: Any) -> str:
    """Where a text that was meant as JSON is none."""
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return ""
    try:
        json.loads(value)
    except json.JSONDecodeError as error:
        return f" ({error.msg[0].lower()}{error.msg[1:]} at character {error.pos + 1})"
    return ""
