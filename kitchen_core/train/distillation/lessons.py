"""From answers and what a teacher thinks of them to datums.

Everything is a mean over the tokens answered in a batch: each of them has the weight 1 / n, so that
neither the length of answers nor their number changes how far a step goes. (Tinker's losses are
sums; AdamW does not see the difference but for its epsilon and the clipping of gradients.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kitchen_core.train.rl.discounting import discounted_sums
from kitchen_core.train.types import Datum, FloatArray, TopLogprobs


def token_mean(datums: Sequence[Datum], coef: float = 1.0) -> list[Datum]:
    """The batch with every token that has a weight weighing `coef` / n, n being how many they are."""
    count = sum(datum.num_loss_tokens for datum in datums)
    each = np.float32(coef / count)
    return [replace(datum, weights=(datum.weights != 0) * each) for datum in datums]


def advantages_from_teacher(
    datum: Datum, sampled: FloatArray, taught: FloatArray, coef: float, discount: float
) -> Datum:
    """A sampled answer with its `logprobs` and `advantages`, for the loss importance_sampling.

    datum: `[seq]`, its answer's tokens last, with a weight each. sampled, taught: the answer's
    logprobs `[answer]` under who sampled it (q) and under the teacher (lp). At every token of it

        A = -coef * (q - lp),

    an estimate of minus the gradient of KL(student || teacher), not centred; or, with a discount,
    the discounted sum of that from the token on. tinker-cookbook's
    `distillation.train_on_policy.incorporate_kl_penalty`.
    """
    advantages = np.float32(-coef) * (sampled - taught)
    if discount > 0:
        advantages = discounted_sums(advantages, discount)
    extra = {"logprobs": _at_answer(datum, sampled), "advantages": _at_answer(datum, advantages)}
    return replace(datum, extra=extra)


def soft_targets(datum: Datum, top: TopLogprobs) -> Datum:
    """A datum whose every target is what the teacher finds likeliest there, `[seq, k]`, as likely as
    the teacher finds it among those k; a place's weights sum to the weight that it had.

    top: `[answer, k]`, of the answer's places, which are the datum's last. The sum over k of
    p log(student) is the cross entropy with the teacher's distribution cut to k tokens and
    normalised again, as in tinker-cookbook's `distillation.train_off_policy`.
    """
    answered, k = top.tokens.shape
    start = len(datum) - answered
    targets = np.zeros((len(datum), k), np.int64)
    targets[start:] = top.tokens
    weights = np.zeros((len(datum), k), np.float32)
    weights[start:] = _normalised(top.logprobs) * datum.weights[start:, None]
    return replace(datum, targets=targets, weights=weights)


def _normalised(logprobs: FloatArray) -> FloatArray:
    """Logprobs `[..., k]` as probabilities that sum to 1."""
    likely = np.exp(logprobs - logprobs.max(-1, keepdims=True))
    return likely / likely.sum(-1, keepdims=True)


def _at_answer(datum: Datum, values: FloatArray) -> FloatArray:
    """Values of the answer's tokens in their places, 0 before them: `[seq]`."""
    placed = np.zeros(len(datum), np.float32)
    placed[len(datum) - len(values) :] = values
    return placed
