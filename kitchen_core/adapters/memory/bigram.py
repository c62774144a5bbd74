"""A language model that looks at one token: row `i` of a table holds the logits of what follows token `i`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import (
    AdamParams,
    Datum,
    Divergence,
    FloatArray,
    IntArray,
    OptimResult,
    SamplingParams,
)

Table = NDArray[np.float64]
_SMALLEST = float(np.finfo(np.float64).tiny)


class Bigram:
    """The table in training, its gradient and its Adam moments.

    frozen: what is added to the trained table to give the logits; zeros where the whole table is trained.
    """

    def __init__(self, frozen: Table, trained: Table) -> None:
        self.frozen = frozen
        self.trained = trained
        self.gradient: Table | None = None
        self.mean = np.zeros_like(trained)
        self.variance = np.zeros_like(trained)
        self.steps = 0

    def target_logprobs(self, datum: Datum) -> FloatArray:
        """Each target's logprob, `[seq]` or `[seq, k]`."""
        logprobs = log_softmax(self._logits(datum))
        return logprobs[_rows_of(datum.targets), datum.targets].astype(np.float32)

    def add_gradient(self, datums: Sequence[Datum], weights: Sequence[FloatArray]) -> None:
        """Add the gradient of `-sum(weights * logprobs)`: for each target `weight * (softmax - one_hot)`."""
        if self.gradient is None:
            self.gradient = np.zeros_like(self.trained)
        for datum, weight in zip(datums, weights, strict=True):
            total = weight.reshape(len(datum), -1).sum(-1, keepdims=True)
            by_logits = total * np.exp(log_softmax(self._logits(datum)))
            np.subtract.at(by_logits, (_rows_of(datum.targets), datum.targets), weight)
            np.add.at(self.gradient, datum.tokens, by_logits)

    def add_divergence(
        self, datum: Datum, taught: Datum, teacher: Table, divergence: Divergence
    ) -> float:
        """sum(weights * KL) at the predictions that count, whose gradient is added.

        taught: what the teacher reads, of whose predictions as many count. By the logits s of the
        student's softmax p the gradient is p * (ln p - ln q - KL) for KL(p || q), p - q for KL(q || p).
        """
        if self.gradient is None:
            self.gradient = np.zeros_like(self.trained)
        ours = log_softmax(self._logits(datum))[datum.counted]
        theirs = log_softmax(teacher[taught.tokens])[taught.counted]
        weights, gap = datum.weights[datum.counted, None], ours - theirs
        if divergence == "reverse_kl":
            apart = (np.exp(ours) * gap).sum(-1, keepdims=True)
            by_logits = np.exp(ours) * (gap - apart)
        else:
            apart = -(np.exp(theirs) * gap).sum(-1, keepdims=True)
            by_logits = np.exp(ours) - np.exp(theirs)
        np.add.at(self.gradient, datum.tokens[datum.counted], weights * by_logits)
        return float((weights * apart).sum())

    def step(self, adam: AdamParams) -> OptimResult:
        """One AdamW step; the gradient is cleared. Raises InvalidRequest where there is none."""
        if self.gradient is None:
            raise InvalidRequest(
                "there is no gradient to step on", hint="Call forward_backward before optim_step."
            )
        grad_norm = float(np.linalg.norm(self.gradient))
        gradient = self.gradient
        if 0 < adam.grad_clip_norm < grad_norm:
            gradient = gradient * (adam.grad_clip_norm / grad_norm)
        self.steps += 1
        self.mean = adam.beta1 * self.mean + (1 - adam.beta1) * gradient
        self.variance = adam.beta2 * self.variance + (1 - adam.beta2) * gradient**2
        mean = self.mean / (1 - adam.beta1**self.steps)
        variance = self.variance / (1 - adam.beta2**self.steps)
        decayed = self.trained * (1 - adam.learning_rate * adam.weight_decay)
        self.trained = decayed - adam.learning_rate * mean / (np.sqrt(variance) + adam.eps)
        self.gradient = None
        return OptimResult(self.steps, {"grad_norm": grad_norm})

    def _logits(self, datum: Datum) -> Table:
        return self.frozen[datum.tokens] + self.trained[datum.tokens]


def _rows_of(targets: IntArray) -> IntArray:
    """The row of each target of `[seq]` or `[seq, k]`, in a shape that goes with it."""
    return np.arange(len(targets)).reshape(-1, *[1] * (targets.ndim - 1))


def log_softmax(logits: Table) -> Table:
    """Logits `[..., vocab]` as logprobs."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def choose(logits: Table, params: SamplingParams, uniform: float) -> int:
    """The next token for logits `[vocab]`; `uniform` decides it by its place in the distribution."""
    if params.temperature == 0:
        return int(logits.argmax())
    logprobs = log_softmax((logits - logits.max()) / max(params.temperature, _SMALLEST))
    order = np.argsort(-logprobs, kind="stable")
    probabilities = np.exp(logprobs[order])
    if params.top_k > 0:
        probabilities[params.top_k :] = 0
    probabilities /= probabilities.sum()
    probabilities[probabilities.cumsum() - probabilities >= params.top_p] = 0
    cumulative = probabilities.cumsum()
    return int(order[np.searchsorted(cumulative, uniform * cumulative[-1], side="right")])
