"""Sums of what is still to come."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Float = TypeVar("Float", np.float32, np.float64)


def discounted_sums(values: NDArray[Float], factor: float) -> NDArray[Float]:
    """At each place t the sum over k >= t of factor^(k - t) values_k, `[n]`, in the type of the values.

    tinker-cookbook's `discounted_future_sum_vectorized`.
    """
    sums = np.empty_like(values)
    running = values.dtype.type(0)
    for at in reversed(range(len(values))):
        sums[at] = running = values[at] + values.dtype.type(factor) * running
    return sums
