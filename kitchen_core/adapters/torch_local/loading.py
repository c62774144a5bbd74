"""From a model source to a model that is ready to train."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.torch_local import lora
from kitchen_core.adapters.torch_local.checkpointing import checkpoint_layers
from kitchen_core.adapters.torch_local.device import choose_device, make_deterministic
from kitchen_core.adapters.torch_local.parts import Parts, take_apart
from kitchen_core.adapters.torch_local.weights import Weights, copy_of, swapped
from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.types import ModelSource, SessionSpec

_NO_LIMIT = 2**31

log = logging.getLogger(__name__)

ModelView = Callable[[], AbstractContextManager[object]]
"""Opens a context in which the model has other weights than the ones in training."""


@dataclass(frozen=True)
class LoadedModel:
    """A model and what of it is trained.

    parts: its body and its head. trained: the trained parameters by name. initial: opens the model as
    it was before any training.
    """

    model: nn.Module
    parts: Parts
    trained: dict[str, nn.Parameter]
    initial: ModelView
    device: torch.device
    limits: Limits


def load_model(spec: SessionSpec) -> LoadedModel:
    """Load the base model, put the adapter on or merge it in, and note the initial weights."""
    torch.set_num_threads(spec.threads)
    device = choose_device(spec.device)
    if spec.deterministic:
        make_deterministic(device)
    base = load_base(spec, device)
    limits = _limits(base)
    model = base if spec.lora is None else lora.attach(base, spec.model, spec.lora, spec.seed)
    model.eval()  # no dropout: the policy that is trained is the one that is sampled
    if spec.gradient_checkpointing:
        checkpoint_layers(model)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    log.info(
        "%s: %s of %s parameters in training on %s",
        spec.model.name,
        sum(p.numel() for p in trained.values()),
        sum(p.numel() for p in model.parameters()),
        device,
    )
    return LoadedModel(
        model=model,
        parts=take_apart(model, device),
        trained=trained,
        initial=_initial_view(model, trained, spec, device),
        device=device,
        limits=limits,
    )


def load_base(spec: SessionSpec, device: torch.device) -> PreTrainedModel:
    """The model without an adapter of its own; where all weights are trained, the source's adapter is merged in.

    Weights are float32 on a CPU. On a GPU frozen weights are bfloat16, and trained ones float32 under autocast.
    """
    frozen_on_gpu = device.type == "cuda" and spec.lora is not None
    model = _from_folder(spec.model, torch.bfloat16 if frozen_on_gpu else torch.float32)
    if spec.lora is None and spec.model.adapter is not None:
        model = lora.merge(model, spec.model.adapter)
    return model.to(device)  # pyright: ignore[reportArgumentType] - a decorated method


def load_frozen(source: ModelSource, device: torch.device) -> LoadedModel:
    """A whole model that is not trained, its source's adapter merged in; bfloat16 on a GPU."""
    own = torch.bfloat16 if device.type == "cuda" else torch.float32
    if source.adapter is None:
        model = _from_folder(source, own)
    else:  # merging rounds less before than after
        model = lora.merge(_from_folder(source, torch.float32), source.adapter)
    model.requires_grad_(False).eval()
    model.to(device=device, dtype=own)  # pyright: ignore[reportCallIssue] - a decorated method
    log.info("%s: %s parameters, frozen, on %s", source.name, model.num_parameters(), device)
    return LoadedModel(
        model=model,
        parts=take_apart(model, device),
        trained={},
        initial=nullcontext,
        device=device,
        limits=_limits(model),
    )


def _from_folder(source: ModelSource, dtype: torch.dtype) -> PreTrainedModel:
    try:
        model, report = cast(Any, AutoModelForCausalLM.from_pretrained)(
            source.folder,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except ValueError as error:
        raise Unsupported(
            f"transformers can't load {source.folder} as a causal language model: {error}",
            hint="Use a model made for text generation.",
        ) from error
    if report["missing_keys"]:
        raise InvalidRequest(
            f"the weights in {source.folder} lack {', '.join(sorted(report['missing_keys'])[:3])}",
            hint="The folder does not match its config.json; fetch or save the model again.",
        )
    return model


def _initial_view(
    model: nn.Module, trained: dict[str, nn.Parameter], spec: SessionSpec, device: torch.device
) -> ModelView:
    """How to see the model as the session started it, at the least memory.

    A fresh adapter is switched off; a continued one is kept as a copy; a whole model is read
    again from its folder when it is first asked for.
    """
    if spec.lora is not None and spec.model.adapter is None:
        return model.disable_adapter  # pyright: ignore[reportReturnType] - a PeftModel
    if spec.lora is not None:
        initial_adapter = copy_of(trained)
        return lambda: swapped(trained, initial_adapter)
    reread: Weights = {}

    def whole_model() -> AbstractContextManager[object]:
        if not reread:
            reread.update(copy_of(dict(load_base(spec, device).named_parameters())))
        return swapped(trained, reread)

    return whole_model


def _limits(base: PreTrainedModel) -> Limits:
    context = getattr(base.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return Limits(
        vocab_size=base.get_input_embeddings().weight.shape[0],  # pyright: ignore
        max_length=context or _NO_LIMIT,
    )
