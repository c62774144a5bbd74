"""Gradient checkpointing: a layer keeps its input alone, and computes the rest again on the way back."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from kitchen_core.train.ports.errors import Unsupported


def checkpoint_layers(model: nn.Module) -> None:
    """Checkpoint each of the model's layers wherever there is a gradient.

    transformers' own switch works in training mode alone, where layers may drop out. Here the model
    stays as it is. Raises Unsupported where it has no such layers.
    """
    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
    if not layers:
        raise Unsupported(
            f"{type(model).__name__} has no layers whose activations can be computed again",
            hint="Set gradient_checkpointing=false, and lower micro_batch_tokens instead.",
        )
    for layer in layers:
        layer.forward = _checkpointed(layer.forward)


def _checkpointed(forward: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(forward)
    def again(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        # No dropout, so nothing is random: the generator's state need not be kept.
        return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)

    return again
