"""From rendered conversations to training datums, and how a batch's tokens are weighed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from kitchen_core.train.renderers import Rendered
from kitchen_core.train.types import Datum

Reduction = Literal["token", "example"]


def datum_from_rendered(rendered: Rendered) -> Datum:
    """One datum `[seq - 1]`; trained tokens weigh 1, the rest 0."""
    tokens = np.asarray(rendered.tokens, dtype=np.int64)
    weights = np.asarray(rendered.trained, dtype=np.float32)
    return Datum(tokens=tokens[:-1], targets=tokens[1:], weights=weights[1:])


def datum_of_completion(prompt: Sequence[int], completion: Sequence[int]) -> Datum:
    """A sampled completion as a datum whose completion's tokens weigh 1 each, the prompt's 0."""
    tokens = np.asarray([*prompt, *completion], dtype=np.int64)
    weights = np.zeros(len(tokens), dtype=np.float32)
    weights[len(prompt) :] = 1
    return Datum(tokens=tokens[:-1], targets=tokens[1:], weights=weights[1:])


def reduce_weights(datums: Sequence[Datum], reduction: Reduction) -> list[Datum]:
    """The batch with weights that sum to 1, so that the summed loss is a mean.

    `token`: every trained token of the batch counts the same. `example`: every example counts the
    same, however long its answer.
    """
    total = sum(float(datum.weights.sum()) for datum in datums)
    if reduction == "token":
        return [replace(datum, weights=datum.weights / np.float32(total)) for datum in datums]
    return [
        replace(datum, weights=datum.weights / np.float32(datum.weights.sum() * len(datums)))
        for datum in datums
    ]


def mean_nll(logprobs: Sequence[np.ndarray], datums: Sequence[Datum]) -> float:
    """Mean negative log-likelihood in nats over the trained tokens: -sum(w * lp) / sum(w).

    Predictions without weight are left out, whatever their logprob is: it may be NaN.
    """
    weights = np.concatenate([datum.weights for datum in datums]).astype(np.float64)
    counted = weights != 0
    found = np.concatenate(logprobs)[counted].astype(np.float64)
    return -float(np.dot(found, weights[counted])) / float(weights.sum())
