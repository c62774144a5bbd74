"""Which way of decoding a model can be trusted with: it is tried, and held against the forward pass."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn

from kitchen_core.adapters.torch_local.incremental import ForwardPass, Incremental
from kitchen_core.adapters.torch_local.llama import Llama
from kitchen_core.adapters.torch_local.parts import alike, causal_model

log = logging.getLogger(__name__)

_ROTARY_TYPES = ("default", "linear", "llama3", "yarn")
"""Those whose angles depend on the position alone, and not on how long a sequence has become."""


def incremental_of(model: nn.Module, device: torch.device) -> Incremental:
    """The fastest way to read with this model that gives its own logits."""
    own, whole = Llama(model, device), ForwardPass(model, device)
    tolerance = 1e-4 if device.type == "cpu" else 0.05  # in bfloat16
    try:
        _check_described(causal_model(model).config)
        pairs = zip(_tried(own), _tried(whole), strict=True)
        if all(alike(found, expected, tolerance) for found, expected in pairs):
            return own
    except Exception:  # a model that is built in another way may fail in any
        log.debug("not of the Llama family", exc_info=True)
    log.info("this model is decoded by its forward pass")
    return whole


def _check_described(config: Any) -> None:
    """Raises ValueError where the model is described as one of which a short trial can't show all."""
    if config.rope_parameters["rope_type"] not in _ROTARY_TYPES:
        raise ValueError("the angles depend on the length of the sequence")
    every = ["full_attention"] * config.num_hidden_layers
    layers = getattr(config, "layer_types", None)
    windowed = layers != every if layers else getattr(config, "sliding_window", None)
    if windowed or getattr(config, "attention_chunk_size", None):
        raise ValueError("a token does not see all that came before")


@torch.no_grad()
def _tried(model: Incremental) -> list[Tensor]:
    """The logits at every step of a small decoding: prompts of two lengths, one of them twice, and a
    row that is dropped. Every vocabulary has these tokens.
    """
    rows = [(1, 2, 3, 4, 5, 6, 7), (3, 1, 2, 1), (1, 2, 3, 4, 5, 6, 7)]
    under_way = model.start(rows, max_tokens=1)  # and then room is made for another
    logits = [under_way.logits]
    device = under_way.logits.device
    under_way.advance(torch.tensor([4, 2, 1], device=device))
    logits.append(under_way.logits)
    under_way.keep(torch.tensor([1, 2], device=device))
    under_way.advance(torch.tensor([5, 3], device=device))
    return [*logits, under_way.logits]
