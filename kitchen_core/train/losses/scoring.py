"""How likely targets are, and cross-entropy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def target_logprobs(logits: Tensor, targets: Tensor) -> Tensor:
    """The logprob of each target, from logits `[..., vocab]`: of one a position `[...]`, or of several
    `[..., k]`. In float32 at least: bf16 logits are widened first.
    """
    from torch.nn.functional import cross_entropy as negative_logprobs

    logits = logits if logits.dtype.itemsize > 4 else logits.float()
    if targets.dim() == logits.dim():
        return logits.gather(-1, targets) - logits.logsumexp(-1, keepdim=True)
    flat = negative_logprobs(logits.flatten(0, -2), targets.flatten(), reduction="none")
    return -flat.view(targets.shape)


def cross_entropy(logprobs: Tensor, weights: Tensor) -> Tensor:
    """-sum(weights * logprobs), a scalar; both of one shape. Tinker's `cross_entropy`."""
    return -(weights * logprobs).sum()
