"""Losses over target logprobs.

All are sums over tokens and datums, so that no split into micro-batches changes a gradient.
"""

from __future__ import annotations

from kitchen_core.train.losses.named import CROSS_ENTROPY, Loss, find_loss
from kitchen_core.train.losses.scoring import cross_entropy, target_logprobs

__all__ = ["CROSS_ENTROPY", "Loss", "cross_entropy", "find_loss", "target_logprobs"]
