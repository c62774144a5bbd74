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
from kitchen_core.train.types import BoolArray, Datum, FloatArray


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of a micro-batch that go through the head, document after document.

    counted: [n] which of the documents' tokens make them, None where all do. places: [n] where they
    stand in the flattened rows, None where that is in order. targets: [n] or [n, k]. inputs: what
    the loss reads of them, each as its targets.
    """

    counted: np.ndarray | None
    places: Tensor | None
    targets: Tensor
    inputs: tuple[Tensor, ...]

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
        self,
        datums: Sequence[Datum],
        inputs: Sequence[Sequence[FloatArray]] = (),
        counted: Sequence[BoolArray] | None = None,
    ) -> Predictions:
        """Those that count, or every one, in the order of the documents.

        datums, inputs `[inputs][datums]`, counted (`[seq]` each): the whole batch's; the micro-batch
        knows its own by their indices.
        """
        kept = None if counted is None else self._laid(counted)
        kept = None if kept is None or kept.all() else kept.nonzero()[0]
        places = kept
        if self.documents is None and sum(self.lengths) < self.tokens.numel():
            in_rows = places_in_rows(self.lengths, self.lengths[0])
            places = in_rows if kept is None else in_rows[kept]

        def sent(arrays: Sequence[np.ndarray]) -> Tensor:
            laid = self._laid(arrays)
            return torch.from_numpy(laid if kept is None else laid[kept]).to(self.tokens.device)

        return Predictions(
            kept,
            None if places is None else torch.from_numpy(places).to(self.tokens.device),
            sent([datum.targets for datum in datums]),
            tuple(sent(of_datums) for of_datums in inputs),
        )

    def _laid(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """What is read of each document's array, end to end: `[total]`. arrays: the whole batch's."""
        read = zip(self.indices, self.lengths, strict=True)
        return np.concatenate([arrays[index][:length] for index, length in read])
