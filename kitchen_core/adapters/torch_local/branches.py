"""Trees of documents in a packed row: a token that several documents begin with lies there once.

A document's own tokens follow those of the document before it, so that all that goes on from a token
lies right behind it: a query sees a key that comes before it and whose branches have not ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Branches:
    """Who sees whom in trees `[count, longest]`, each in a row of its own, padded on the right.

    seen: [count, 1, longest, longest] whether a query's document goes through the key. back: as
    seen, how many tokens before the query.
    """

    seen: Tensor
    back: Tensor

    @classmethod
    def of(
        cls,
        places: np.ndarray,
        shape: tuple[int, int],
        lengths: Sequence[int],
        shared: Sequence[int],
    ) -> Branches:
        """Trees that lie end to end, in rows of `shape`. places: `[total]` of their tokens in these.

        lengths, shared: of their documents, `shared` as in a `MicroBatchPlan`.
        """
        row = np.arange(shape[1])
        ends = np.tile(row + 1, shape[0])  # padding sees itself alone
        ends[places] = places % shape[1] + _reach(lengths, shared)
        depths = np.zeros(shape, np.int64)
        depths.ravel()[places] = positions_of(lengths, shared)
        seen = (row[:, None] >= row) & (row[:, None] < ends.reshape(shape)[:, None])
        back = depths[:, :, None] - depths[:, None]
        return cls(torch.from_numpy(seen[:, None]), torch.from_numpy(back[:, None]))

    def to(self, device: torch.device) -> Branches:
        """The same on a device."""
        return Branches(self.seen.to(device), self.back.to(device))

    def within(self, window: int | None) -> Tensor:
        """What is seen by queries that look back over `window` tokens, themselves included."""
        return self.seen if window is None else self.seen & (self.back < window)


def paths(lengths: Sequence[int], shared: Sequence[int]) -> list[np.ndarray]:
    """Where each document's tokens lie in the row: `[documents][length]`."""
    path, begin, found = np.empty(0, np.int64), 0, []
    for length, first in zip(lengths, shared, strict=True):
        end = begin + length - first
        path = np.concatenate([path[:first], np.arange(begin, end)])
        found.append(path)
        begin = end
    return found


def positions_of(lengths: Sequence[int], shared: Sequence[int]) -> np.ndarray:
    """The positions of what each document adds, laid end to end: `[total]`."""
    return np.concatenate([np.arange(*ends) for ends in zip(shared, lengths, strict=True)])


def _reach(lengths: Sequence[int], shared: Sequence[int]) -> np.ndarray:
    """How many tokens each token of the row is followed by in its branches, itself included: `[total]`."""
    ends = accumulate(n - s for n, s in zip(lengths, shared, strict=True))
    reach = np.empty(sum(lengths) - sum(shared), np.int64)
    left = [*shared[1:], 0]
    for path, first, end in zip(paths(lengths, shared), left, ends, strict=True):
        reach[path[first:]] = end - path[first:]
    return reach
