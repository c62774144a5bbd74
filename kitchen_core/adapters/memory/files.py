"""The double's files: model folders, adapters and training states, laid out as the real ones are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from kitchen_core.adapters.checks import make_empty_folder
from kitchen_core.adapters.memory.bigram import Bigram, Table
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Unsupported
from kitchen_core.train.types import LoraSpec, ModelSource

_SHAPE = (VOCAB_SIZE, VOCAB_SIZE)


def write_model(folder: Path, table: Table) -> None:
    """A whole model's folder."""
    make_empty_folder(folder)
    save_file({"table": table}, folder / "model.safetensors")
    _write_json(folder / "config.json", {"architectures": ["Bigram"], "vocab_size": len(table)})
    _write_tokenizer(folder)


def write_adapter(folder: Path, delta: Table, base_name: str, lora: LoraSpec) -> None:
    """An adapter's folder: what is added to the base's table."""
    make_empty_folder(folder)
    save_file({"table": delta}, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "base_model_name_or_path": base_name, **_settings(lora)}
    _write_json(folder / "adapter_config.json", config)
    _write_tokenizer(folder)


def read_model(folder: Path) -> Table:
    """A model's table. Another kind of model stands for one fixed table: the double trains on anything."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("architectures") == ["Bigram"]:
        table = load_file(folder / "model.safetensors")["table"]
        if table.shape != _SHAPE:
            raise Unsupported(
                f"the vocabulary of {folder} has {len(table)} tokens, that of the double {VOCAB_SIZE}",
                hint="Take a table that the double has written.",
            )
        return table
    return np.random.default_rng(0).normal(scale=0.5, size=_SHAPE)


def read_adapter(source: ModelSource, lora: LoraSpec | None) -> Table:
    """The source's adapter, zeros without one. Raises InvalidRequest where `lora` asks for another shape."""
    if source.adapter is None:
        return np.zeros(_SHAPE)
    config = json.loads((source.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    for key, asked in _settings(lora).items() if lora else ():
        if config.get(key) != asked:
            raise InvalidRequest(
                f"the adapter to continue has {key} {config.get(key)}, the run asks for {asked}",
                hint=f"Set {key} to {config.get(key)} instead of {asked}, or start from the base.",
            )
    return load_file(source.adapter / "adapter_model.safetensors")["table"]


def save_state(folder: Path, bigram: Bigram) -> None:
    """Write the trained table and its moments into an empty folder."""
    make_empty_folder(folder)
    tensors = {"trained": bigram.trained, "mean": bigram.mean, "variance": bigram.variance}
    save_file(tensors, folder / "state.safetensors")
    _write_json(folder / "state.json", {"format": "memory/1", "steps": bigram.steps})


def load_state(folder: Path, bigram: Bigram) -> None:
    """Put back what `save_state` wrote. Raises NotFound or InvalidRequest."""
    path = folder / "state.safetensors"
    if not path.is_file() or not (folder / "state.json").is_file():
        raise NotFound(
            f"{folder} holds no training state", hint="Give a folder that save_state has written."
        )
    try:
        tensors = load_file(path)
        facts = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        trained, mean, variance = (tensors[name] for name in ("trained", "mean", "variance"))
        steps = int(facts["steps"])
    except (SafetensorError, ValueError, KeyError) as error:
        raise InvalidRequest(
            f"the state in {folder} is damaged or of another model",
            hint="Resume from an earlier checkpoint, or start the run again.",
        ) from error
    bigram.trained, bigram.mean, bigram.variance = trained, mean, variance
    bigram.steps, bigram.gradient = steps, None


def _settings(lora: LoraSpec) -> dict[str, Any]:
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return {"r": lora.rank, "lora_alpha": lora.alpha, "target_modules": targets}


def _write_tokenizer(folder: Path) -> None:
    _write_json(folder / "tokenizer.json", {"type": "bytes"})
    (folder / "chat_template.jinja").write_text("bytes\n", encoding="utf-8")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
