"""A loss written in torch over target logprobs: its value and its gradient by each logprob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import Datum, FloatArray

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss


def custom_gradients(
    loss_fn: CustomLoss, datums: Sequence[Datum], logprobs: Sequence[FloatArray]
) -> tuple[dict[str, float], list[Tensor]]:
    """Metrics (`loss` among them), and for each datum dloss/dlogprobs `[seq]`, zero where the loss leaves it out.

    Raises InvalidRequest where the loss function fails or gives no scalar with a gradient.
    """
    leaves = [torch.from_numpy(row.copy()).requires_grad_() for row in logprobs]
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
    return {"loss": loss.item(), **metrics}, list(gradients)
