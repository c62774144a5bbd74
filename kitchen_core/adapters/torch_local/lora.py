"""LoRA in PEFT's own terms: a fresh adapter, a continued one, or one merged into its base."""

from __future__ import annotations

from pathlib import Path
from types import UnionType
from typing import cast

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.utils import PeftType
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from kitchen_core.train.naming import nearest
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
    config = _load_config(adapter)
    _untie_what_differs(base, config)
    with_adapter = PeftModel.from_pretrained(base, adapter, config=config)
    merged = cast("PreTrainedModel", with_adapter.merge_and_unload())
    return merged.requires_grad_(True)


def _untie_what_differs(base: PreTrainedModel, config: LoraConfig) -> None:
    """An adapter of the embedding or of the output layer is of that one alone; where both share one
    tensor, folding it in would change the other as well.
    """
    head, table = base.get_output_embeddings(), base.get_input_embeddings()
    adapted = set(_targets_of(base, config))
    shared = {
        name.rpartition(".")[2] for name, m in base.named_modules() if m is head or m is table
    }
    if isinstance(head, nn.Linear) and head.weight is table.weight and adapted & shared:
        head.weight = nn.Parameter(head.weight.detach().clone())
        base.config.get_text_config(decoder=True).tie_word_embeddings = False
        base.config.tie_word_embeddings = False


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
    """The last parts of the names of the modules to adapt, sorted.

    Any linear module or embedding may be named, `lm_head` among them. `all-linear` leaves out the
    output layer, as PEFT's does.
    """
    if spec.targets == "all-linear":
        return sorted(_linear_names(base))
    known = _names_of(base, nn.Linear | Conv1D | nn.Embedding)
    unknown = sorted(set(spec.targets) - known)
    if unknown:
        raise InvalidRequest(
            f"the model has no module named '{unknown[0]}' that an adapter fits"
            f"{nearest(unknown[0], sorted(known))}",
            hint=f"It has {', '.join(sorted(known))}.",
        )
    if not spec.targets:
        raise InvalidRequest("no modules to adapt are named", hint="Name some, or all-linear.")
    return sorted(set(spec.targets))


def _linear_names(base: PreTrainedModel) -> set[str]:
    return _names_of(base, nn.Linear | Conv1D, besides=base.get_output_embeddings())


def _names_of(
    base: PreTrainedModel, kinds: UnionType, besides: nn.Module | None = None
) -> set[str]:
    """What the model calls its modules of these kinds."""
    return {
        name.rpartition(".")[2]
        for name, module in base.named_modules()
        if isinstance(module, kinds) and module is not besides
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
