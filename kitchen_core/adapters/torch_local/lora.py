"""LoRA in PEFT's own terms: a fresh adapter, a continued one, or one merged into its base."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.utils import PeftType
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.types import LoraSpec, ModelSource


def attach(base: PreTrainedModel, source: ModelSource, spec: LoraSpec, seed: int) -> PeftModel:
    """Put an adapter on the base: the source's own to continue it, else a fresh one drawn from `seed`.

    Raises InvalidRequest where the source's adapter is of another shape than `spec`.
    """
    targets = _resolve_targets(base, spec)
    if source.adapter is None:
        return _fresh(base, spec, targets, seed)
    config = _load_config(source.adapter)
    _check_same("rank", spec.rank, config.r)
    _check_same("alpha", spec.alpha, config.lora_alpha)
    _check_same("targets", targets, _targets_of(base, config))
    return PeftModel.from_pretrained(base, source.adapter, is_trainable=True, config=config)


def merge(base: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    """Fold an adapter into the weights of its base."""
    with_adapter = PeftModel.from_pretrained(base, adapter, config=_load_config(adapter))
    merged = cast("PreTrainedModel", with_adapter.merge_and_unload())
    return merged.requires_grad_(True)


def _fresh(base: PreTrainedModel, spec: LoraSpec, targets: list[str], seed: int) -> PeftModel:
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=0.0,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):  # PEFT draws on the CPU, whatever the device
        torch.manual_seed(seed)
        return cast("PeftModel", get_peft_model(base, config))


def _load_config(folder: Path) -> LoraConfig:
    config = PeftConfig.from_pretrained(str(folder))
    if config.peft_type != PeftType.LORA or not isinstance(config, LoraConfig):
        raise Unsupported(
            f"{folder} is a {config.peft_type} adapter",
            hint="Only LoRA adapters can be trained on.",
        )
    return config


def _resolve_targets(base: PreTrainedModel, spec: LoraSpec) -> list[str]:
    """The last parts of the names of the modules to adapt, sorted."""
    known = _linear_names(base)
    if spec.targets == "all-linear":
        return sorted(known)
    unknown = sorted(set(spec.targets) - known)
    if unknown:
        raise InvalidRequest(
            f"the model has no linear modules named {', '.join(unknown)}",
            hint=f"It has {', '.join(sorted(known))}.",
        )
    return sorted(spec.targets)


def _linear_names(base: PreTrainedModel) -> set[str]:
    """What the model calls its linear modules, the output layer left out (as PEFT's `all-linear` does)."""
    head = base.get_output_embeddings()
    return {
        name.rpartition(".")[2]
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }


def _targets_of(base: PreTrainedModel, config: LoraConfig) -> list[str]:
    targets = config.target_modules
    if targets == "all-linear":
        return sorted(_linear_names(base))
    return sorted([targets] if isinstance(targets, str) else targets or [])


def _check_same(what: str, asked: object, found: object) -> None:
    if asked != found:
        raise InvalidRequest(
            f"the adapter to continue has {what} {found}, the run asks for {asked}",
            hint=f"Set the LoRA {what} to {found}, or start from the base instead of {asked} "
            f"on top of {found}.",
        )
