"""Which model at the service a local folder stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Unsupported
from kitchen_core.train.remote_weights import RemoteWeights, read_remote_weights
from kitchen_core.train.types import LoraSpec, ModelSource

KEPT_BY = "tinker"
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def base_name(source: ModelSource, base_model: str | None) -> str:
    """What the service calls a source's base. Raises Unsupported where nobody said."""
    if base_model:
        return base_model
    if _HUB_NAME.fullmatch(source.name):
        return source.name
    raise Unsupported(
        f"Tinker can't know the model {source.name}: it has models by their hub names",
        hint="Use model=ORG/NAME, or set base_model in the manifest.",
    )


def check_known(name: str, known: Collection[str]) -> None:
    """Raises NotFound where the server lists its models and this is none of them."""
    if known and name not in known:
        raise NotFound(
            f"the server has no model {name}{nearest(name, known)}",
            hint=f"It has {', '.join(sorted(known))}.",
        )


def adapter_note(source: ModelSource) -> RemoteWeights | None:
    """Where the service keeps the source's adapter; None where it has none. Raises Unsupported for an
    adapter that was made elsewhere.
    """
    if source.adapter is None:
        return None
    if inspect_model_folder(source.adapter, weights=False).adapter_of is None:
        raise InvalidRequest(
            f"{source.adapter} is a whole model, not an adapter",
            hint="Give it as the model itself, without an adapter.",
        )
    note = read_remote_weights(source.adapter)
    if note is None or note.kept_by != KEPT_BY:
        raise Unsupported(
            f"the adapter in {source.adapter} was made elsewhere, and Tinker can't take it up",
            hint="Start from an adapter that Tinker trained, or train with another backend.",
        )
    return note


def check_rank(source: ModelSource, lora: LoraSpec) -> None:
    """Raises InvalidRequest where the adapter to go on from has another rank."""
    if source.adapter is None:
        return
    config = json.loads((source.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    rank = config.get("r")
    if rank != lora.rank:
        raise InvalidRequest(
            f"the adapter has rank {rank}, the run asks for {lora.rank}",
            hint=f"Set lora_rank={rank} instead of {lora.rank}, or start without the adapter.",
        )


def check_base_folder(source: ModelSource) -> None:
    """Raises NotFound or InvalidRequest where tokenizer and config are not those of a whole model."""
    base = inspect_model_folder(source.folder, weights=False)
    if base.adapter_of is not None:
        raise InvalidRequest(
            f"{source.folder} is an adapter of {base.adapter_of}, not a whole model",
            hint="Give the base model as the model and this folder as its adapter.",
        )


def check_vocabulary(source: ModelSource, trained: str, size: int) -> None:
    """Raises Unsupported where the source's vocabulary has not the size that the trained model's has: tokens
    of one must mean the same to the other.
    """
    check_base_folder(source)
    theirs = HuggingFaceTokenizer(source.folder).vocab_size
    if theirs != size:
        raise Unsupported(
            f"the vocabulary of {source.name} has {theirs} tokens, that of {trained} in training {size}",
            hint="Choose a teacher of the same family, or let it sample and train on its texts.",
        )


def config_number(folder: Path, name: str) -> int | None:
    """A number of config.json; a model of several modalities keeps it under `text_config`."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and isinstance(part.get(name), int):
            return part[name]
    return None
