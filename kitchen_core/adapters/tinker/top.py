"""The likeliest tokens at each position of a sequence, as a Tinker server gives them."""

from __future__ import annotations

import numpy as np
import tinker

from kitchen_core.adapters.tinker.completions import check_finite
from kitchen_core.train.ports.errors import InvalidRequest, Unsupported
from kitchen_core.train.types import TopLogprobs


def top_of(response: tinker.SampleResponse, positions: int, k: int) -> TopLogprobs:
    """`[positions, k]`, ordered as the port says: the likeliest first, of equals the lowest ids.

    Raises Unsupported where the server has left them out, InvalidRequest where it gives fewer than `k`.
    """
    rows = response.topk_prompt_logprobs
    if rows is None:
        raise Unsupported(
            "this server gives no likeliest tokens of a prompt",
            hint="Distil on the sampled tokens alone: top_k_targets=0.",
        )
    found = [row or [] for row in rows[-positions:]]  # the first token has none, or no row at all
    fewest = min(map(len, found), default=0)
    if fewest < k:
        raise InvalidRequest(
            f"the server gives the {fewest} likeliest tokens at a position, {k} were asked for",
            hint="Ask for fewer.",
        )
    ordered = [sorted(row, key=lambda each: (-each[1], each[0]))[:k] for row in found]
    pairs = np.array(ordered, np.float64).reshape(len(found), k, 2)
    return TopLogprobs(
        pairs[..., 0].astype(np.int64), check_finite(pairs[..., 1].astype(np.float32))
    )


def no_top_logprobs(k: int) -> TopLogprobs:
    """Of a sequence of one token: `[0, k]`."""
    return TopLogprobs(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
