"""A language model that looks at one token: row `i` of a table holds the logits of what follows token `i`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import AdamParams, Datum, FloatArray, OptimResult, SamplingParams

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
        """Each target's logprob `[seq]`."""
        logprobs = log_softmax(self._logits(datum))
        return logprobs[np.arange(len(datum)), datum.targets].astype(np.float32)

    def add_gradient(self, datums: Sequence[Datum], weights: Sequence[FloatArray]) -> None:
        """Add the gradient of `-sum(weights * logprobs)`: `weights * (softmax - one_hot)`, row by row."""
        if self.gradient is None:
            self.gradient = np.zeros_like(self.trained)
        for datum, weight in zip(datums, weights, strict=True):
            by_logits = np.exp(log_softmax(self._logits(datum)))
            by_logits[np.arange(len(datum)), datum.targets] -= 1
            np.add.at(self.gradient, datum.tokens, weight[:, None] * by_logits)

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
