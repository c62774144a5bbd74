"""A loss written in torch over target logprobs: its value and its gradient by each logprob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Datum, FloatArray

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss


def turned_gradients(
    loss_fn: CustomLoss, datums: Sequence[Datum], logprobs: Sequence[FloatArray]
) -> tuple[dict[str, float], list[FloatArray]]:
    """Metrics (`loss` among them), and for each datum -dloss/dlogprobs `[seq]`: what cross-entropy would
    need as weights to have the same gradient.

    Predictions whose weight is 0 read as 0.0, whatever their logprob is, and have no gradient.
    Raises InvalidRequest where the loss function fails or gives no scalar with a gradient.
    """
    counted = [datum.counted for datum in datums]
    leaves = [
        torch.from_numpy(np.where(mask, row, np.float32(0))).requires_grad_()
        for mask, row in zip(counted, logprobs, strict=True)
    ]
    try:
        with torch.enable_grad():
            loss, metrics = loss_fn(datums, leaves)
    except Exception as error:  # it is the recipe's own code: anything may come
        raise InvalidRequest(
            f"the loss function failed with {type(error).__name__}: {error}",
            hint="Mend the loss function and start again from the last checkpoint.",
        ) from error
    if loss.dim() != 0 or not loss.requires_grad:
        raise InvalidRequest(
            f"the loss has shape {list(loss.shape)} and requires_grad={loss.requires_grad}",
            hint="Return a scalar that is computed from the logprobs.",
        )
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    turned = [
        np.where(mask, -gradient.numpy(), np.float32(0))
        for mask, gradient in zip(counted, gradients, strict=True)
    ]
    return {"loss": loss.item(), **metrics}, turned
