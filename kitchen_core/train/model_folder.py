"""What a model folder holds, read from its JSON and safetensors headers alone: no torch, no
weights loaded.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kitchen_core.train.model_shape import ModelShape, shape_of
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Unsupported
from kitchen_core.train.remote_weights import read_remote_weights

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
_MAX_HEADER_BYTES = 100_000_000
"""The limit that safetensors itself sets."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model folder at a glance.

    num_parameters: weights stored (tied ones once). bytes: size of the weight files. Both are None
    where the weights lie elsewhere. adapter_of: the base that a PEFT adapter folder names, None for a
    whole model. model_type: the family, as transformers names it. hidden_size: the width of the
    residual stream. shape: how it is built, None where config.json leaves something out. An adapter says
    none of these of its base.
    """

    num_parameters: int | None
    bytes: int | None
    architecture: str
    has_chat_template: bool
    adapter_of: str | None
    model_type: str = ""
    hidden_size: int | None = None
    shape: ModelShape | None = None


def inspect_model_folder(folder: Path, *, weights: bool = True) -> ModelFacts:
    """Check that a folder holds a model, or a PEFT adapter, that can be loaded, and say what it is.

    weights: they must be there too; else config and tokenizer are enough. Raises NotFound (a part is
    missing), InvalidRequest (a file is damaged) or Unsupported (it needs its own code, or its weights
    lie elsewhere).
    """
    if not folder.is_dir():
        raise NotFound(
            f"there is no folder {folder}",
            hint="Give the path of a model folder, or a hub name such as ORG/NAME.",
        )
    if (folder / "adapter_config.json").is_file():
        return _inspect_adapter(folder, weights)
    return _inspect_model(folder, weights)


def _inspect_model(folder: Path, weights: bool) -> ModelFacts:
    config = _read_json(_require(folder, "config.json", "A Hugging Face model folder has one."))
    if "auto_map" in config:
        raise Unsupported(
            f"{folder} brings its own model code (auto_map in config.json), which is never run",
            hint="Use a model whose architecture transformers knows.",
        )
    _require_tokenizer(folder)
    files = _weight_files(folder) if weights else []
    num_parameters = sum(_count_parameters(file) for file in files) if files else None
    size = sum(file.stat().st_size for file in files) if files else None
    architectures = config.get("architectures") or [config.get("model_type", "unknown")]
    return ModelFacts(
        num_parameters=num_parameters,
        bytes=size,
        architecture=str(architectures[0]),
        has_chat_template=_has_chat_template(folder),
        adapter_of=None,
        model_type=str(config.get("model_type", "")),
        hidden_size=_hidden_size(config),
        shape=shape_of(config, num_parameters, size),
    )


def _inspect_adapter(folder: Path, weights: bool) -> ModelFacts:
    config = _read_json(folder / "adapter_config.json")
    file = _adapter_weights(folder) if weights else None
    return ModelFacts(
        num_parameters=_count_parameters(file) if file else None,
        bytes=file.stat().st_size if file else None,
        architecture=str(config.get("peft_type", "LORA")),
        has_chat_template=_has_chat_template(folder),
        adapter_of=str(config.get("base_model_name_or_path") or "unknown"),
    )


def _adapter_weights(folder: Path) -> Path:
    remote = read_remote_weights(folder)
    if remote and not (folder / "adapter_model.safetensors").is_file():
        raise Unsupported(
            f"{folder} holds no weights: {remote.kept_by} keeps them, as {remote.training}",
            hint=f"Use it with --adapter training_client={remote.kept_by}.",
        )
    return _require(
        folder,
        "adapter_model.safetensors",
        "Save the adapter again as safetensors, without pickles.",
    )


def _hidden_size(config: dict[str, Any]) -> int | None:
    """The language model's; a model of several modalities keeps it under `text_config`."""
    for part in (config, config.get("text_config")):
        if isinstance(part, dict) and isinstance(part.get("hidden_size"), int):
            return part["hidden_size"]
    return None


def _require(folder: Path, name: str, hint: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise NotFound(f"{folder} has no {name}", hint=hint)
    return path


def _require_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise NotFound(
            f"{folder} has no tokenizer (tokenizer.json)",
            hint="Copy the tokenizer files of the model it was made from into the folder.",
        )


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model, in order; those that an index names must all be there."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(_read_json(index).get("weight_map", {}).values()))
        return [
            _require(folder, name, "The download is incomplete; fetch it again.") for name in names
        ]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    raise NotFound(
        f"{folder} has no weights (model.safetensors)",
        hint="Only safetensors are read; convert .bin or .gguf weights with transformers first.",
    )


def _count_parameters(path: Path) -> int:
    """How many numbers a safetensors file holds, from its header.

    Raises InvalidRequest on a damaged file.
    """
    header, data_offset = _read_header(path)
    end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    if path.stat().st_size < data_offset + end:
        raise _damaged(path, "it is cut short")
    return sum(math.prod(tensor["shape"]) for tensor in header.values())


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size):
            raise _damaged(path, "it is no safetensors file")
        raw = file.read(length)
    try:
        header = json.loads(raw)
    except ValueError:
        raise _damaged(path, "its header can't be read") from None
    header.pop("__metadata__", None)
    return header, 8 + length


def _damaged(path: Path, why: str) -> InvalidRequest:
    return InvalidRequest(f"{path} is damaged: {why}", hint="Fetch or save the model again.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidRequest(
            f"{path} is no valid JSON: {error}", hint="Fetch or save the model again."
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(f"{path} holds no JSON object", hint="Fetch or save the model again.")
    return value


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(_read_json(config).get("chat_template"))
