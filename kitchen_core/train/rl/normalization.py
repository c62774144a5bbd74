"""How the losses of single tokens add up to the loss of a step, written into the tokens' weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from kitchen_core.train.rl.assembly import Origin
from kitchen_core.train.types import Datum

Normalization = Literal["sum", "grpo", "dapo", "dr_grpo"]


def normalized(
    datums: Sequence[Datum], origins: Sequence[Origin], method: Normalization, max_tokens: int
) -> list[Datum]:
    """The datums of one step with weights so that the summed loss is what the method says.

    With N episodes among them and n_i trained tokens in episode i:

    - `sum`: the sum over tokens, as Tinker's losses are;
    - `grpo`: the mean over episodes of each one's mean, 1 / (N n_i) a token (DeepSeekMath, 2402.03300);
    - `dapo`: the mean over tokens, 1 / sum(n_i) (2503.14476);
    - `dr_grpo`: 1 / (N max_tokens), so that long answers count as their tokens do (2503.20783);
      max_tokens is the most that one answer may have.
    """
    if method == "sum":
        return list(datums)
    scale = _scales(datums, origins, method, max_tokens)
    return [
        replace(datum, weights=datum.weights * np.float32(scale(origin)))
        for datum, origin in zip(datums, origins, strict=True)
    ]


def _scales(
    datums: Sequence[Datum], origins: Sequence[Origin], method: Normalization, max_tokens: int
) -> Callable[[Origin], float]:
    tokens: Counter[Origin] = Counter()
    for datum, origin in zip(datums, origins, strict=True):
        tokens[origin] += datum.num_loss_tokens
    match method:
        case "grpo":
            return lambda origin: 1 / (len(tokens) * tokens[origin])
        case "dapo":
            return lambda origin: 1 / tokens.total()
        case _:
            return lambda origin: 1 / (len(tokens) * max_tokens)
