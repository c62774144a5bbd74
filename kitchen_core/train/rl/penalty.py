"""Holding the policy to a reference: what it strays costs advantage, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kitchen_core.train.rl.discounting import discounted_sums
from kitchen_core.train.types import Datum, FloatArray, IntArray


def whole_sequence(datum: Datum) -> IntArray:
    """A datum's tokens and its last target, `[seq + 1]`: what a sampling client scores."""
    return np.append(datum.tokens, datum.targets[-1:])


def kl_penalty(
    datums: Sequence[Datum], reference: Sequence[FloatArray], coef: float, discount: float
) -> tuple[list[Datum], float]:
    """The datums with the penalty in their advantages, and `kl_policy_base`.

    reference: the reference's logprobs of each datum's targets, `[seq]` each. With d the sampler's
    logprob minus the reference's over the answers' tokens (0 elsewhere) and mean(d) its mean over them,

        A += coef * mask * (mean(d) - d),

    or, with a discount, the discounted sum of that term from each token on. kl_policy_base = mean(d), an
    estimate of KL(policy || reference) in nats a token. tinker-cookbook's `incorporate_kl_penalty`.
    """
    masks = [(datum.weights != 0).astype(np.float32) for datum in datums]
    gaps = [
        (datum.extra["logprobs"] - scored) * mask
        for datum, scored, mask in zip(datums, reference, masks, strict=True)
    ]
    total = sum(float(gap.sum(dtype=np.float64)) for gap in gaps)
    mean = total / sum(float(mask.sum()) for mask in masks)
    penalized = []
    for datum, gap, mask in zip(datums, gaps, masks, strict=True):
        term = np.float32(coef) * mask * (np.float32(mean) - gap)
        if discount > 0:
            term = discounted_sums(term, discount)
        extra = {**datum.extra, "advantages": datum.extra["advantages"] + term}
        penalized.append(replace(datum, extra=extra))
    return penalized, mean
