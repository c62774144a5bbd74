"""Policy losses: how a model follows the advantages of what was sampled.

For each token: lp its logprob under the learner (`logprobs`, with gradient), q under whoever sampled
it (`sampled`), A its advantage, w its weight (the mask times the normalisation), and r = exp(lp - q)
the ratio of the two. All are `[tokens]`; each loss is a scalar, a sum over tokens. The first four
are Tinker's of the same names, with options that are always given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_LARGEST_LOG_RATIO = 80.0
"""Beyond e**88 float32 has no numbers, and the gradient of what a clip leaves out would be NaN."""


def importance_sampling(
    logprobs: Tensor, weights: Tensor, sampled: Tensor, advantages: Tensor
) -> Tensor:
    """-sum(w r A): the policy gradient where the sampler is not quite the learner."""
    return -(weights * token_ratio(logprobs, sampled) * advantages).sum()


def ppo(
    logprobs: Tensor,
    weights: Tensor,
    sampled: Tensor,
    advantages: Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> Tensor:
    """-sum(w min(r A, clip(r) A)): no reward for leaving the bounds (Schulman et al. 2017)."""
    ratio = token_ratio(logprobs, sampled)
    return -(weights * _pessimistic(ratio, advantages, clip_low, clip_high)).sum()


def cispo(
    logprobs: Tensor,
    weights: Tensor,
    sampled: Tensor,
    advantages: Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> Tensor:
    """-sum(w clip(r) A lp), with no gradient through clip(r): the ratio is bounded, and yet every
    token has its say (MiniMax-M1, arXiv 2506.13585).
    """
    bounded = token_ratio(logprobs, sampled).clamp(clip_low, clip_high).detach()
    return -(weights * bounded * advantages * logprobs).sum()


def dro(
    logprobs: Tensor, weights: Tensor, sampled: Tensor, advantages: Tensor, *, beta: float
) -> Tensor:
    """-sum(w (A lp - beta/2 (lp - q)^2)): the policy gradient, held near the sampler by a square
    (DRO, arXiv 2405.19107; Tinker's loss of this name).
    """
    gap = logprobs - sampled
    return -(weights * (advantages * logprobs - beta / 2 * gap * gap)).sum()


def reinforce(logprobs: Tensor, weights: Tensor, advantages: Tensor) -> Tensor:
    """-sum(w A lp): the plain policy gradient (Williams 1992)."""
    return -(weights * advantages * logprobs).sum()


def gspo(
    logprobs: Tensor,
    weights: Tensor,
    sampled: Tensor,
    advantages: Tensor,
    sequences: Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> Tensor:
    """-sum(w min(s A, clip(s) A)), where s = exp(mean(lp - q)) over the tokens of a sequence, with
    its gradient (GSPO, arXiv 2507.18071). sequences: which sequence each token belongs to, from 0.
    """
    ratio = sequence_ratio(logprobs, sampled, sequences)
    return -(weights * _pessimistic(ratio, advantages, clip_low, clip_high)).sum()


def token_ratio(logprobs: Tensor, sampled: Tensor) -> Tensor:
    """r = exp(lp - q) of each token."""
    return (logprobs - sampled).clamp(max=_LARGEST_LOG_RATIO).exp()


def sequence_ratio(logprobs: Tensor, sampled: Tensor, sequences: Tensor) -> Tensor:
    """s = exp(mean(lp - q)) of each token's sequence."""
    log_ratio = logprobs - sampled
    lengths = sequences.bincount()
    total = log_ratio.new_zeros(len(lengths)).index_add(0, sequences, log_ratio)
    mean = total / lengths.clamp(min=1)  # a sequence may have no tokens here
    return mean.clamp(max=_LARGEST_LOG_RATIO).exp()[sequences]


def _pessimistic(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """min(r A, clip(r) A)."""
    return (ratio * advantages).minimum(ratio.clamp(low, high) * advantages)
