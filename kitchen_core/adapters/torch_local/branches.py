"""Trees of documents in a packed row, where a token that several documents begin with lies once.

What a document adds follows the document before it, so that all that goes on from a token lies right
behind it: a query sees a key that comes before it and has not ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Forest:
    """The trees of a packed row: of several documents the first `branched`, of one the others.

    sizes: how many tokens each has. positions: [total] of the row's tokens, from 0 in each document.
    places: [laid] where the tokens of each document stand, document after document. ends: [total]
    where what goes on from each token ends. Where nothing is branched these two say nothing: None.
    """

    sizes: list[int]
    branched: int
    positions: np.ndarray
    places: np.ndarray | None = None
    ends: np.ndarray | None = None

    @classmethod
    def of(cls, lengths: Sequence[int], shared: Sequence[int]) -> Forest:
        """Documents of these lengths; `shared` as in a `MicroBatchPlan`."""
        positions = np.concatenate([np.arange(*ends) for ends in zip(shared, lengths, strict=True)])
        if not any(shared):
            return cls(list(lengths), 0, positions)
        roots = [index for index, first in enumerate(shared) if not first]
        trees = [slice(*ends) for ends in pairwise([*roots, len(shared)])]
        sizes = [sum(lengths[tree]) - sum(shared[tree]) for tree in trees]
        branched = sum(tree.stop > tree.start + 1 for tree in trees)
        return cls(sizes, branched, positions, *_paths(lengths, shared))


def _paths(lengths: Sequence[int], shared: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """`places` and `ends` of a forest."""
    row = np.arange(sum(lengths) - sum(shared))
    ends = np.full_like(row, len(row))
    path, begin, places = row[:0], 0, []
    for length, first in zip(lengths, shared, strict=True):
        ends[path[first:]] = begin
        own = row[begin : begin + length - first]
        path = np.concatenate([path[:first], own])
        places.append(path)
        begin += len(own)
    return np.concatenate(places), ends


@dataclass(frozen=True, slots=True)
class Branches:
    """Who sees whom in rows that are trees, padded on the right.

    seen: [rows, 1, seq, seq] whether a query's documents go through the key. positions: [rows, seq]
    in each document.
    """

    seen: Tensor
    positions: Tensor
    _biases: dict[tuple[int | None, torch.dtype], Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, ends: np.ndarray, positions: np.ndarray, device: torch.device) -> Branches:
        """ends, positions: [rows, seq] as those of a forest, the ends counted from each row's start."""
        order = np.arange(ends.shape[1])
        seen = (order[:, None] >= order) & (order[:, None] < ends[:, None])
        return cls(
            torch.from_numpy(seen[:, None]).to(device), torch.from_numpy(positions).to(device)
        )

    def bias(self, window: int | None, dtype: torch.dtype) -> Tensor:
        """What to add to the scores, shaped as `seen`, where queries look back over `window` tokens,
        themselves included: made once for all layers.
        """
        if (window, dtype) not in self._biases:
            self._biases[window, dtype] = bias_of(self._within(window), dtype)
        return self._biases[window, dtype]

    def _within(self, window: int | None) -> Tensor:
        if window is None:
            return self.seen
        back = self.positions[:, :, None] - self.positions[:, None]
        return self.seen & (back < window)[:, None]


def bias_of(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where a key is seen, and -inf where it is not."""
    return torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, -torch.inf)
