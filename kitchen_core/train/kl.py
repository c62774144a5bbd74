"""How far two ways of scoring the same tokens are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kitchen_core.train.types import FloatArray


class KlEstimates(NamedTuple):
    """Two estimates of KL(q || p) in nats from tokens that were sampled from q."""

    v1: float
    v2: float


def kl_sample_train(sampler: Sequence[FloatArray], trainer: Sequence[FloatArray]) -> KlEstimates:
    """The KL of sampler and trainer over sampled tokens, given each completion's logprobs `[tokens]`.

    With q the sampler's logprob and p the trainer's: v1 = mean(q - p), v2 = mean((q - p)^2) / 2.
    Schulman's k1 and k2, by the names of tinker-cookbook's `compute_kl_sample_train`.
    """
    gap = np.concatenate(sampler).astype(np.float64) - np.concatenate(trainer)
    return KlEstimates(float(gap.mean()), float((gap**2).mean() / 2))
