"""Datums and prompts for the contracts: token ids below 256, which every backend here knows."""

from __future__ import annotations

import numpy as np
import torch

from kitchen_core.train.types import Datum


def make_datum(text: str, *, weights: list[float] | None = None) -> Datum:
    """A datum of a text's bytes; each prediction counts once unless `weights` says otherwise."""
    tokens = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
    counted = np.ones(len(tokens) - 1) if weights is None else np.array(weights)
    return Datum(tokens[:-1], tokens[1:], counted.astype(np.float32))


DATUMS = [
    make_datum("2 + 2 = 4", weights=[0, 0, 0, 0, 0, 0, 1, 2]),
    make_datum("a cat"),
    make_datum("the longest of them all"),
    make_datum("no", weights=[0.5]),
    make_datum("2 + 3 = 5"),
]
PROMPTS = [list(b"2 + 2 = "), list(b"hi"), list(b"a somewhat longer prompt")]


def negative_sum(datums, logprobs):
    """Cross-entropy once more, as a custom loss."""
    weights = [torch.from_numpy(datum.weights) for datum in datums]
    return -sum((w * row).sum() for w, row in zip(weights, logprobs, strict=True)), {"seen": 5.0}
