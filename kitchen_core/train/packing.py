"""Which datums share a micro-batch, and how they lie in it.

The plan follows from the datums alone, so that the same batch is computed in the same way every
time. It changes no gradient: losses are sums.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from kitchen_core.train.trees import Tree

NEGLIGIBLE_PADDING = 0.05
"""Rows that are padded by less than this share are left as rows: laying them end to end for the linear
layers and apart again for attention would cost what it saves.
"""


@dataclass(frozen=True, slots=True)
class MicroBatchPlan:
    """One backward pass: the datums in it, the longest first; before them those that share tokens,
    tree after tree.

    packed: they lie end to end in one row; else each has a row of its own, padded on the right.
    shared: how many first tokens of each are those of the one before it, and are not read again.
    """

    indices: tuple[int, ...]
    packed: bool
    shared: tuple[int, ...]

    @classmethod
    def of(cls, indices: Sequence[int], *, packed: bool) -> MicroBatchPlan:
        """Datums that share nothing."""
        return cls(tuple(indices), packed, (0,) * len(indices))


def padded_micro_batches(lengths: Sequence[int], budget: int) -> list[MicroBatchPlan]:
    """Every datum once, in rows of at most `budget` tokens, padding included. A datum that is longer
    than that has a micro-batch of its own.
    """
    return [MicroBatchPlan.of(rows, packed=False) for rows in padded_rows(lengths, budget)]


def packed_micro_batches(trees: Sequence[Tree], budget: int) -> list[MicroBatchPlan]:
    """Every tree once, in micro-batches of at most `budget` tokens; a larger one has one of its own."""
    bins = best_fit([tree.size for tree in trees], budget)
    return [_packed([trees[index] for index in bin_]) for bin_ in bins]


def _packed(trees: Sequence[Tree]) -> MicroBatchPlan:
    """One micro-batch of trees, the largest first."""
    trees = sorted(trees, key=lambda tree: not tree.branched)
    return MicroBatchPlan(
        tuple(index for tree in trees for index in tree.indices),
        trees[0].branched or padding_share([tree.size for tree in trees]) > NEGLIGIBLE_PADDING,
        tuple(shared for tree in trees for shared in tree.shared),
    )


def best_fit(lengths: Sequence[int], budget: int) -> list[tuple[int, ...]]:
    """Best-fit decreasing: the longest first, each into the fullest bin that still has room for it.

    Needs at most 11/9 of the fewest possible bins, and 4 more (Johnson 1973).
    """
    bins: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, bin), sorted
    for index in _longest_first(lengths):
        place = bisect_left(rooms, (lengths[index], -1))
        if place == len(rooms):
            room, bin_ = budget, len(bins)
            bins.append([])
        else:
            room, bin_ = rooms.pop(place)
        bins[bin_].append(index)
        insort(rooms, (room - lengths[index], bin_))
    return [tuple(bin_) for bin_ in bins]


def padded_rows(lengths: Sequence[int], budget: int) -> list[tuple[int, ...]]:
    """Rows of similar lengths, as many as fit in `budget` when all are padded to the longest."""
    batches: list[list[int]] = []
    for index in _longest_first(lengths):
        if not batches or lengths[batches[-1][0]] * (len(batches[-1]) + 1) > budget:
            batches.append([])
        batches[-1].append(index)
    return [tuple(batch) for batch in batches]


def padding_share(lengths: Sequence[int]) -> float:
    """How much of the rows would be padding, from 0 to 1."""
    return 1 - sum(lengths) / (max(lengths) * len(lengths))


def similar_runs(lengths: Sequence[int], alike: int) -> list[range]:
    """Neighbours of similar length, where `lengths` fall: within a run none is shorter than half of
    the longest, or all are at most `alike` long.
    """
    starts: list[int] = []
    for index, length in enumerate(lengths):
        longest = lengths[starts[-1]] if starts else 0
        if not starts or 2 * length < longest > alike:
            starts.append(index)
    return [range(*ends) for ends in pairwise([*starts, len(lengths)])]


def _longest_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])
