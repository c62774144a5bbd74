"""Where the documents of a packed row begin and end, worked out once for all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.branches import Branches, positions_of
from kitchen_core.train.packing import similar_runs

_SHORT = 32
"""Attention among so few tokens costs less than a call of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbours of similar length, for backends that know only rows of one length: documents, or
    trees of several.

    span: their tokens in the packed row. places: where each of them lies in `[count * longest]`,
    None where all are of one length. branches: who sees whom in trees.
    """

    span: slice
    count: int
    longest: int
    places: Tensor | None
    branches: Branches | None


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a packed row `[1, total]`: the trees of several before the others, both the
    longest first.

    bounds: [n + 1] int32, where each tree or document begins, and the end. longest: the most tokens
    of one. branched: whether there are trees.
    """

    bounds: Tensor
    longest: int
    branched: bool
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, lengths: Sequence[int], shared: Sequence[int], device: torch.device) -> Documents:
        """The documents of these lengths; `shared` as in a `MicroBatchPlan`."""
        roots = [index for index, first in enumerate(shared) if not first]
        trees = [slice(*ends) for ends in pairwise([*roots, len(shared)])]
        sizes = [sum(lengths[tree]) - sum(shared[tree]) for tree in trees]
        bounds = [0, *accumulate(sizes)]
        branched = sum(tree.stop > tree.start + 1 for tree in trees)
        groups = []
        for run in _runs(sizes, branched):
            own = slice(trees[run[0]].start, trees[run[-1]].stop)
            own_shared = shared[own] if run[0] < branched else None
            run_sizes = sizes[run.start : run.stop]
            groups.append(_group(bounds[run[0]], run_sizes, lengths[own], own_shared, device))
        begins = torch.tensor(bounds, dtype=torch.int32, device=device)
        return cls(begins, max(sizes), branched > 0, tuple(groups))


def places_in_rows(lengths: Sequence[int], width: int) -> np.ndarray:
    """Where each token lies when every document has a row of `width`: `[total]`, from the start."""
    starts = np.repeat(np.arange(len(lengths)) * width, lengths)
    return starts + positions_of(lengths, [0] * len(lengths))


def _runs(sizes: Sequence[int], branched: int) -> list[range]:
    """Neighbours of similar size, the trees (the first `branched`) apart from the others."""
    found = []
    for start, stop in ((0, branched), (branched, len(sizes))):
        runs = similar_runs(sizes[start:stop], _SHORT)
        found += [range(start + run.start, start + run.stop) for run in runs]
    return found


def _group(
    start: int,
    sizes: Sequence[int],
    lengths: Sequence[int],
    shared: Sequence[int] | None,
    device: torch.device,
) -> Group:
    """Trees or documents of these sizes. lengths, shared: of their documents; None: not in trees."""
    total, count, longest = sum(sizes), len(sizes), sizes[0]
    places = places_in_rows(sizes, longest)
    branches = None
    if shared is not None:
        branches = Branches.of(places, (count, longest), lengths, shared).to(device)
    padded = torch.from_numpy(places).to(device) if total < count * longest else None
    return Group(slice(start, start + total), count, longest, padded, branches)
