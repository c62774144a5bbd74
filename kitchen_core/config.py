"""Run configurations: typed fields with bounds and units, overrides from text, and errors in one
line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.naming import nearest

RefRole = Literal["model", "dataset"]
ConfigT = TypeVar("ConfigT", bound="RunConfig")


class ConfigError(ValueError):
    """A configuration that can't be right; the message is one line for the user."""


def setting(
    default: Any, description: str, *, unit: str = "", ref: RefRole | None = None, **bounds: Any
) -> Any:
    """A config field with what a launch form shows: description, unit and bounds (`ge`, `gt`, `le`,
    `lt`).

    ref: the field holds a ref of that role; what it resolves to becomes an edge of the run's
    lineage.
    """
    extra: dict[str, Any] = {}
    if unit:
        extra["unit"] = unit
    if ref:
        extra["ref"] = ref
    return Field(default, description=description, json_schema_extra=extra or None, **bounds)


class RunConfig(BaseModel):
    """What every workflow's config has. A workflow adds its own fields."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )

    model: str = setting("builtin:tiny", "The model to start from, as a ref", ref="model")
    dataset: str = setting("builtin:arithmetic", "The data to train on, as a ref", ref="dataset")
    seed: int = setting(0, "Every random choice of the run comes from it", ge=0, le=2**63 - 1)
    device: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "Where to compute; auto takes the GPU if there is one"
    )
    threads: int | None = setting(
        None,
        "CPU threads; left out: one for a tiny model, all cores for a larger one",
        ge=1,
        le=1024,
    )
    lora_rank: int | None = setting(
        None,
        "Rank of the low-rank adapter; 0 trains all weights; left out: 0 for a tiny model, 32 for a larger one",
        ge=0,
        le=4096,
    )
    lora_alpha: int = setting(32, "The adapter's scale is alpha / rank", ge=1, le=65536)
    lora_targets: tuple[str, ...] = setting(
        (),
        "Linear modules that get an adapter, such as q_proj,v_proj; left out: all but the output",
    )
    learning_rate: float | None = setting(
        None,
        "Peak learning rate; left out: suggested from the model's family and width",
        gt=0,
        le=1,
    )
    micro_batch_tokens: int = setting(
        4096, "Tokens in one backward pass; lower it where memory is short", unit="tokens", ge=1
    )
    packing: bool = setting(
        True, "Lay examples end to end in a backward pass, rather than padded side by side"
    )
    gradient_checkpointing: bool = setting(
        False, "Save memory by computing activations twice; costs about a third more time"
    )
    sampling_batch_size: int = setting(64, "Completions decoded together", unit="sequences", ge=1)
    save_every: int = setting(
        100, "Save a checkpoint every so many steps; 0: never", unit="steps", ge=0
    )
    keep_checkpoints: int = setting(2, "How many checkpoints to keep on disk", ge=1)
    register_as: str | None = setting(None, "Register the final model under this name")

    @field_validator("lora_targets", mode="before")
    @classmethod
    def _names_with_commas(cls, value: Any) -> Any:
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


class MixedSet(BaseModel):
    """A dataset mixed in beside the main one. A bare number is its share.

    fields: where its columns are named differently.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = setting(
        1.0, "Examples of this set for each one of the main dataset", gt=0, le=1000
    )
    fields: dict[str, str] = setting({}, "The schema's field to the column")

    @model_validator(mode="before")
    @classmethod
    def _from_share(cls, value: Any) -> Any:
        return {"share": value} if isinstance(value, int | float | str) else value


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 over a resolved config."""
    return sha256_of_json(dict(config))


def with_overrides(config: ConfigT, overrides: Mapping[str, Any], source: str = "") -> ConfigT:
    """A new config with `{dotted.key: value or text}` set.

    Raises ConfigError naming key, value, and what was expected.
    """
    data = config.model_dump()
    for key, value in overrides.items():
        _set_dotted(type(config), data, key, value, source)
    try:
        return type(config).model_validate(data)
    except ValidationError as error:
        raise ConfigError(explain(error, type(config), source)) from None


def parse_override(text: str) -> tuple[str, str]:
    """`key=value` as a pair. Raises ConfigError."""
    key, found, value = text.partition("=")
    if not found or not key:
        raise ConfigError(f"'{text}' is not of the form key=value")
    return key.strip(), value.strip()


def explain(error: ValidationError, model: type[BaseModel] | None = None, source: str = "") -> str:
    """pydantic's error as one line: the key, what was given, what was expected."""
    first, *others = error.errors()
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        return f"{_of(source)}unknown setting '{name}'{nearest(name, _fields_of(model))}"
    if not first["loc"]:  # a rule between settings, told in its own words
        return f"{_of(source)}{first['msg'].removeprefix('Value error, ')}"
    key = ".".join(str(part) for part in first["loc"] if not _is_union_branch(part))
    unit = _unit_of(model, key) if model else ""
    more = f" (and {len(others)} more)" if others else ""
    given = _shown(first.get("input"))
    return f"{_of(source)}{key}: given {given}, expected {_expected(first)}{unit}{more}"


@dataclass(frozen=True, slots=True)
class RefField:
    """A config field that holds a ref."""

    name: str
    role: RefRole


def ref_fields(config_type: type[BaseModel]) -> Iterator[RefField]:
    """The fields of a config that hold refs, in order."""
    for name, field in config_type.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and extra.get("ref") in ("model", "dataset"):
            yield RefField(name, "model" if extra["ref"] == "model" else "dataset")


def refs_in(config: Mapping[str, Any], refs: Mapping[str, RefRole]) -> dict[str, RefRole]:
    """Every ref of a resolved config with its role, given `{field: role}`. A field that maps refs to
    something names one with each key.
    """
    named: dict[str, RefRole] = {}
    for field, role in refs.items():
        value = config[field]
        named |= dict.fromkeys(value if isinstance(value, Mapping) else [value], role)
    return {ref: role for ref, role in named.items() if ref is not None}


def _set_dotted(
    model: type[BaseModel], data: dict[str, Any], key: str, value: Any, source: str
) -> None:
    head, _, rest = key.partition(".")
    if head not in model.model_fields:
        known = list(model.model_fields)
        raise ConfigError(
            f"{_of(source)}unknown setting '{head}'{nearest(head, known) or _known(known)}"
        )
    if not rest:
        data[head] = _parsed(value)
        return
    inner = model.model_fields[head].annotation
    if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
        raise ConfigError(f"{_of(source)}setting '{head}' has no part '{rest}'")
    _set_dotted(inner, data[head], rest, value, source)


def _parsed(value: Any) -> Any:
    """Text from a command line as the JSON it spells, else as itself; `none` is null."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("none", "null"):
        return None
    if value[:1] in ("[", "{", '"'):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _fields_of(model: type[BaseModel] | None) -> list[str]:
    return list(model.model_fields) if model else []


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
            return f"{context['ge']:g} or more"
        case "greater_than":
            return f"more than {context['gt']:g}"
        case "less_than_equal":
            return f"{context['le']:g} or less"
        case "less_than":
            return f"less than {context['lt']:g}"
        case "finite_number":
            return "a finite number"
        case "int_parsing" | "int_type" | "int_from_float":
            return "a whole number"
        case "float_parsing" | "float_type":
            return "a number"
        case "bool_parsing" | "bool_type":
            return "true or false"
        case "string_type":
            return "text"
        case "literal_error":
            return str(context["expected"])
        case _:
            return error["msg"].removeprefix("Value error, ")


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _of(source: str) -> str:
    return f"{source}: " if source else ""


def _known(names: list[str]) -> str:
    return f"; known: {', '.join(names)}"
