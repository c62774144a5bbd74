"""Losses over target logprobs.

All are sums over tokens and datums, so that no split into micro-batches changes a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def target_logprobs(logits: Tensor, targets: Tensor) -> Tensor:
    """The logprob of each target, `[batch, seq]` in float32, from logits `[batch, seq, vocab]`.

    log p = logit of the target - logsumexp of all logits; bf16 logits are widened first.
    """
    logits = logits.float()
    chosen = logits.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return chosen - logits.logsumexp(-1)


def cross_entropy(logprobs: Tensor, weights: Tensor) -> Tensor:
    """-sum(weights * logprobs), a scalar; both `[batch, seq]`. Tinker's `cross_entropy`."""
    return -(weights * logprobs).sum()
