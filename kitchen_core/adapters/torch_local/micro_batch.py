"""A micro-batch on the device: how its documents lie, and which of their predictions are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.documents import (
    Documents,
    places_in_rows,
    positions_of,
)
from kitchen_core.train.packing import MicroBatchPlan
from kitchen_core.train.types import Datum, FloatArray


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of a micro-batch that go through the head, document after document.

    counted: [n] which of the documents' tokens make them, None where all do. places: [n] where they
    stand in the flattened rows, None where that is in order. targets, weights: [n].
    """

    counted: np.ndarray | None
    places: Tensor | None
    targets: Tensor
    weights: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Documents of one pass, `tokens` `[rows, seq]`.

    indices: which datums they are. lengths: how many tokens of each are read. positions: [1, total],
    from 0 in each document, and documents: where they begin; both only where they are packed.
    """

    indices: tuple[int, ...]
    lengths: tuple[int, ...]
    tokens: Tensor
    positions: Tensor | None
    documents: Documents | None

    @classmethod
    def of(
        cls,
        plan: MicroBatchPlan,
        lengths: Sequence[int],
        datums: Sequence[Datum],
        device: torch.device,
    ) -> MicroBatch:
        """The first `lengths[i]` tokens of each datum of the plan, laid out as it says."""
        read = tuple(lengths[i] for i in plan.indices)
        laid = np.concatenate([datums[i].tokens[: lengths[i]] for i in plan.indices])
        if plan.packed:
            return cls(
                plan.indices,
                read,
                tokens=torch.from_numpy(laid).to(device)[None],
                positions=torch.from_numpy(positions_of(read)).to(device)[None],
                documents=Documents.of(read, device),
            )
        rows = np.zeros((len(read), read[0]), np.int64)
        rows.ravel()[places_in_rows(read, read[0])] = laid
        return cls(plan.indices, read, torch.from_numpy(rows).to(device), None, None)

    def predictions(
        self, datums: Sequence[Datum], weights: Sequence[FloatArray], *, every: bool
    ) -> Predictions:
        """Those with a weight, or every one, in the order of the documents.

        datums, weights: the whole batch's; the micro-batch knows its own by their indices.
        """
        targets = self._laid([datums[i].targets for i in self.indices])
        weight = self._laid([weights[i] for i in self.indices])
        places = counted = None
        if self.documents is None and len(targets) < self.tokens.numel():
            places = places_in_rows(self.lengths, self.lengths[0])
        if not every and not weight.all():
            counted = weight.nonzero()[0]
            targets, weight = targets[counted], weight[counted]
            places = counted if places is None else places[counted]
        device = self.tokens.device
        return Predictions(
            counted,
            None if places is None else torch.from_numpy(places).to(device),
            torch.from_numpy(targets).to(device),
            torch.from_numpy(weight).to(device),
        )

    def _laid(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """What is read of each document's array, end to end: `[total]`."""
        return np.concatenate([a[:n] for a, n in zip(arrays, self.lengths, strict=True)])
