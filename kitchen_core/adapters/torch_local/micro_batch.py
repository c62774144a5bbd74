"""A micro-batch on the device: how its documents lie, and which of their predictions are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.branches import Forest
from kitchen_core.adapters.torch_local.documents import Documents, places_in_rows
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

    indices: which datums they are. lengths: how many tokens each has. shared: how many of these are
    read with the document before it. places: where the tokens of each document stand in the flattened
    rows, document after document; None where that is in order. positions: [1, seq] in the documents,
    and documents: where they begin; both only where they are packed.
    """

    indices: tuple[int, ...]
    lengths: tuple[int, ...]
    shared: tuple[int, ...]
    tokens: Tensor
    places: np.ndarray | None
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
        own, shared = tuple(lengths[i] for i in plan.indices), plan.shared
        ends = zip(plan.indices, shared, own, strict=True)
        laid = np.concatenate([datums[i].tokens[start:stop] for i, start, stop in ends])
        if plan.packed:
            forest = Forest.of(own, shared)
            return cls(
                plan.indices,
                own,
                shared,
                tokens=torch.from_numpy(laid).to(device)[None],
                places=forest.places,
                positions=torch.from_numpy(forest.positions).to(device)[None],
                documents=Documents.of(forest, device),
            )
        rows = np.zeros((len(own), own[0]), np.int64)
        places = places_in_rows(own, own[0])
        rows.ravel()[places] = laid
        in_order = len(places) == rows.size
        tokens = torch.from_numpy(rows).to(device)
        return cls(plan.indices, own, shared, tokens, None if in_order else places, None, None)

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
        places = self.places
        if kept is not None:
            places = kept if places is None else places[kept]

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
        """The part of each document's array that is looked at, end to end: `[total]`. arrays: the
        whole batch's.
        """
        parts = zip(self.indices, self.lengths, strict=True)
        return np.concatenate([arrays[index][:length] for index, length in parts])


def picked(hidden: Tensor, predictions: Predictions) -> Tensor:
    """The states `[n, hidden]` that the predictions are made from."""
    return hidden if predictions.places is None else hidden[predictions.places]
