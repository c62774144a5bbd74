"""The trained model as files that plain transformers and plain PEFT load.

Nothing in them depends on time, machine or run: equal weights give equal bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel

from kitchen_core.adapters.checks import make_empty_folder
from kitchen_core.adapters.tokenizer_files import copy_tokenizer_files
from kitchen_core.adapters.torch_local.quiet import quiet
from kitchen_core.train.types import ModelSource


def export_model(folder: Path, model: nn.Module, source: ModelSource) -> None:
    """Write a PEFT adapter where one was trained, else the whole model; the tokenizer goes with it, byte for byte."""
    make_empty_folder(folder)
    if isinstance(model, PeftModel):
        _write_adapter(folder, model, source.name)
    elif isinstance(model, PreTrainedModel):
        with quiet():
            model.save_pretrained(folder)
    copy_tokenizer_files(source.folder, folder)


def _write_adapter(folder: Path, model: PeftModel, base_name: str) -> None:
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in weights.items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = model.peft_config["default"].to_dict()
    config |= {"base_model_name_or_path": base_name, "inference_mode": True, "revision": None}
    text = json.dumps(_sorted_sets(config), indent=2, sort_keys=True)
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")


def _sorted_sets(config: dict[str, Any]) -> dict[str, Any]:
    """PEFT keeps module names as sets, whose order changes from process to process."""
    return {
        key: sorted(value) if isinstance(value, set) else value for key, value in config.items()
    }
