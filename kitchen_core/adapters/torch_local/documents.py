"""Where the documents of a packed row begin and end, worked out once for all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.branches import Branches, Forest
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
    def of(cls, forest: Forest, device: torch.device) -> Documents:
        """The documents of a forest."""
        bounds = [0, *accumulate(forest.sizes)]
        groups = [
            _group(forest, run, slice(bounds[run.start], bounds[run.stop]), device)
            for run in _runs(forest.sizes, forest.branched)
        ]
        begins = torch.tensor(bounds, dtype=torch.int32, device=device)
        return cls(begins, max(forest.sizes), forest.branched > 0, tuple(groups))


def places_in_rows(lengths: Sequence[int], width: int) -> np.ndarray:
    """Where each token lies when every document has a row of `width`: `[total]`, from the start."""
    starts = [index * width for index in range(len(lengths))]
    ends = zip(starts, lengths, strict=True)
    return np.concatenate([np.arange(start, start + length) for start, length in ends])


def _runs(sizes: Sequence[int], branched: int) -> list[range]:
    """Neighbours of similar size, the trees (the first `branched`) apart from the others."""
    found = []
    for start, stop in ((0, branched), (branched, len(sizes))):
        runs = similar_runs(sizes[start:stop], _SHORT)
        found += [range(start + run.start, start + run.stop) for run in runs]
    return found


def _group(forest: Forest, run: range, span: slice, device: torch.device) -> Group:
    sizes = forest.sizes[run.start : run.stop]
    count, longest = len(sizes), sizes[0]
    places = places_in_rows(sizes, longest)
    branches = None
    if forest.ends is not None and run.start < forest.branched:
        ends = np.tile(np.arange(1, longest + 1), count)  # padding sees itself alone
        starts = np.repeat(span.start + np.cumsum([0, *sizes[:-1]]), sizes)
        ends[places] = forest.ends[span] - starts
        positions = np.zeros_like(ends)
        positions[places] = forest.positions[span]
        shape = (count, longest)
        branches = Branches.of(ends.reshape(shape), positions.reshape(shape), device)
    padded = torch.from_numpy(places).to(device) if len(places) < count * longest else None
    return Group(span, count, longest, padded, branches)
