"""Where the documents of a packed row begin and end, worked out once for all layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from kitchen_core.train.packing import similar_runs

_SHORT = 32
"""Attention among so few tokens costs less than a call of its own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring documents of similar length, for backends that know only rows of one length.

    span: their tokens in the packed row. places: where each of them lies in `[count * longest]`,
    None where all are of one length.
    """

    span: slice
    count: int
    longest: int
    places: Tensor | None


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a packed row `[1, total]`, the longest first.

    bounds: [documents + 1] int32, where each begins, and the end. longest: the length of the first.
    """

    bounds: Tensor
    longest: int
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, lengths: Sequence[int], device: torch.device) -> Documents:
        """The documents of these lengths, which fall."""
        bounds = [0, *accumulate(lengths)]
        groups = tuple(
            _group(bounds[run.start], lengths[run.start : run.stop], device)
            for run in similar_runs(lengths, _SHORT)
        )
        return cls(torch.tensor(bounds, dtype=torch.int32, device=device), lengths[0], groups)


def positions_of(lengths: Sequence[int]) -> np.ndarray:
    """0, 1, 2, ... in each document, laid end to end: `[total]`."""
    return np.concatenate([np.arange(length) for length in lengths])


def places_in_rows(lengths: Sequence[int], width: int) -> np.ndarray:
    """Where each token lies when every document has a row of `width`: `[total]`, from the start."""
    starts = np.repeat(np.arange(len(lengths)) * width, lengths)
    return starts + positions_of(lengths)


def _group(start: int, lengths: Sequence[int], device: torch.device) -> Group:
    total, count, longest = sum(lengths), len(lengths), lengths[0]
    places = None
    if total < count * longest:
        places = torch.from_numpy(places_in_rows(lengths, longest)).to(device)
    return Group(slice(start, start + total), count, longest, places)
