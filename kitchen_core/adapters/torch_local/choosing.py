"""Choosing the next token: temperature, top_k, top_p, and a uniform number that decides."""

from __future__ import annotations

import torch
from torch import Tensor

from kitchen_core.train.types import SamplingParams


def choose(logits: Tensor, params: SamplingParams, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """A token a row and its logprob under the model at temperature 1.

    logits: [rows, vocab]. uniforms: [rows], each decides one row by its place in the cumulative
    distribution. Of equally likely tokens those with the lowest ids come first.
    """
    if params.temperature == 0:
        chosen = logits.argmax(-1, keepdim=True)
    else:
        kept = _filtered(_tempered(logits, params.temperature), params)
        cumulative = kept.softmax(-1).cumsum(-1)
        threshold = uniforms.unsqueeze(-1) * cumulative[:, -1:]
        chosen = torch.searchsorted(cumulative, threshold, right=True)
        chosen = chosen.clamp(max=logits.shape[-1] - 1)
    logprobs = logits.gather(-1, chosen).squeeze(-1) - logits.logsumexp(-1)
    return chosen.squeeze(-1), logprobs


def _tempered(logits: Tensor, temperature: float) -> Tensor:
    """Logits over the temperature, the highest at 0: so that a tiny one overflows to -inf only."""
    if temperature == 1:
        return logits
    smallest = torch.finfo(logits.dtype).tiny
    return (logits - logits.amax(-1, keepdim=True)) / max(temperature, smallest)


def _filtered(logits: Tensor, params: SamplingParams) -> Tensor:
    """Logits with everything outside top_k, then outside top_p, at minus infinity."""
    if 0 < params.top_k < logits.shape[-1]:
        logits = logits.masked_fill(~highest(logits, params.top_k), -torch.inf)
    if params.top_p < 1:
        probabilities, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
        before = probabilities.cumsum(-1) - probabilities
        outside = before >= params.top_p
        outside[:, 0] = False  # the first is in, however small top_p is in float32
        logits = logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
    return logits


def highest(logits: Tensor, k: int) -> Tensor:
    """Exactly `k` of a row `[rows, vocab]`: all above the k-th highest, and as many equal to it as
    there is room for.
    """
    highest = logits.topk(k + 1).values
    last, beyond = highest[:, k - 1 : k], highest[:, k:]
    if not (last == beyond).any():
        return logits >= last
    above, equal = logits > last, logits == last
    room = k - above.sum(-1, keepdim=True)
    return above | (equal & (equal.cumsum(-1) <= room))
