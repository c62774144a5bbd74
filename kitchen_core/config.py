"""Run configurations: typed fields with bounds and units, overrides from text, and errors in one
line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from kitchen_core.explaining import explain, source_prefix
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.naming import nearest

RefRole = Literal["model", "dataset"]
ConfigT = TypeVar("ConfigT", bound="RunConfig")


class ConfigError(ValueError):
    """A configuration that can't be right; the message is one line for the user."""


def setting(
    default: Any,
    description: str,
    *,
    unit: str = "",
    ref: RefRole | None = None,
    port: str | None = None,
    **bounds: Any,
) -> Any:
    """A config field with what a launch form shows: description, unit and bounds (`ge`, `gt`, `le`,
    `lt`).

    ref: the field holds a ref of that role; what it resolves to becomes an edge of the run's
    lineage. port: what the run connects where the field is set, so that it is tried at submission.
    """
    extra: dict[str, Any] = {}
    if unit:
        extra["unit"] = unit
    if ref:
        extra["ref"] = ref
    if port:
        extra["port"] = port
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
    deterministic: bool = setting(
        False,
        "On a GPU: the same bytes from the same seed, at a cost in speed; a CPU gives them always",
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
        if isinstance(value, str):
            return [name.strip() for name in value.split(",") if name.strip()]
        return value


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
        if isinstance(value, int | float | str):
            return {"share": value}
        if isinstance(value, Mapping | MixedSet):
            return value
        raise ValueError('a share such as 0.5, or {"share": 0.5, "fields": {...}}')


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
            f"{source_prefix(source)}unknown setting '{head}'{nearest(head, known) or _known(known)}"
        )
    if not rest:
        data[head] = _parsed(value)
        return
    inner = model.model_fields[head].annotation
    if get_origin(inner) is dict and isinstance(data[head], dict):
        data[head] = data[head] | {rest: _parsed(value)}
        return
    if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
        raise ConfigError(f"{source_prefix(source)}setting '{head}' has no part '{rest}'")
    _set_dotted(inner, data[head], rest, value, source)


def _parsed(value: Any) -> Any:
    """Text from a command line as the JSON it spells, else as itself; `none` is null."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("none", "null"):
        return None
    if value[:1] in ("[", "{", '"'):
        try:
            return json.loads(value, object_pairs_hook=each_key_once)
        except json.JSONDecodeError:
            return value
    return value


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values. Raises ConfigError where a key comes twice."""
    given: dict[str, Any] = {}
    for key, value in pairs:
        if key in given:
            raise ConfigError(f"'{key}' is given twice in the JSON")
        given[key] = value
    return given


def _known(names: list[str]) -> str:
    return f"; known: {', '.join(names)}"
