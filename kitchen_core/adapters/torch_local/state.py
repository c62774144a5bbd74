"""A session's state as files: trained weights and optimizer moments as safetensors, and a small JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kitchen_core.adapters.checks import make_empty_folder
from kitchen_core.adapters.torch_local.optimizer import Optimizer
from kitchen_core.train.ports.errors import InvalidRequest, NotFound

_FORMAT = "torch_local/1"
_TENSORS = "state.safetensors"
_FACTS = "state.json"


def save_state(folder: Path, trained: dict[str, nn.Parameter], optimizer: Optimizer) -> None:
    """Write the state into an empty folder and wait until it is on disk.

    A gradient that has not been stepped on is not part of it.
    """
    make_empty_folder(folder)
    tensors = {f"weight/{name}": p.detach() for name, p in trained.items()} | optimizer.moments()
    save_file({name: t.cpu().contiguous() for name, t in tensors.items()}, folder / _TENSORS)
    facts = {"format": _FORMAT, "steps": optimizer.steps}
    (folder / _FACTS).write_text(json.dumps(facts, sort_keys=True) + "\n", encoding="utf-8")
    for path in (folder / _TENSORS, folder / _FACTS, folder):
        _sync(path)


def load_state(folder: Path, trained: dict[str, nn.Parameter], optimizer: Optimizer) -> None:
    """Put a saved state back. Nothing changes unless all of it fits.

    Raises NotFound (no state there) or InvalidRequest (damaged, or of another model or adapter).
    """
    facts = _read_facts(folder)
    tensors = _read_tensors(folder, next(iter(trained.values())).device)
    _check_fit(folder, trained, tensors)
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(tensors[f"weight/{name}"])
    optimizer.restore(facts["steps"], tensors)


def _read_facts(folder: Path) -> dict[str, Any]:
    for name in (_FACTS, _TENSORS):
        if not (folder / name).is_file():
            raise NotFound(
                f"{folder} holds no training state ({name} is missing)",
                hint="Give a folder that save_state has written.",
            )
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        if facts["format"] == _FORMAT and isinstance(facts["steps"], int):
            return facts
    except (ValueError, KeyError, TypeError):
        pass
    raise _damaged(folder / _FACTS)


def _read_tensors(folder: Path, device: torch.device) -> dict[str, Tensor]:
    try:
        return load_file(folder / _TENSORS, device=device.type)
    except SafetensorError as error:
        raise _damaged(folder / _TENSORS) from error


def _damaged(path: Path) -> InvalidRequest:
    return InvalidRequest(
        f"{path} is damaged", hint="Resume from an earlier checkpoint, or start the run again."
    )


def _check_fit(folder: Path, trained: dict[str, nn.Parameter], tensors: dict[str, Tensor]) -> None:
    saved = {
        name.removeprefix("weight/"): list(tensor.shape)
        for name, tensor in tensors.items()
        if name.startswith("weight/")
    }
    own = {name: list(parameter.shape) for name, parameter in trained.items()}
    for name in sorted(saved.keys() | own.keys()):
        if saved.get(name) != own.get(name):
            raise InvalidRequest(
                f"the state in {folder} does not fit: {name} is {saved.get(name, 'absent')} there "
                f"and {own.get(name, 'absent')} here",
                hint="Use the model and the LoRA settings that the state was saved with.",
            )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
