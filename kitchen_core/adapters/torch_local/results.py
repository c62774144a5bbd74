"""What the micro-batches of a call have given, put back in the order of the datums."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.device import peak_memory_bytes
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch, Predictions
from kitchen_core.train.types import Datum, ForwardResult


class Results:
    """Collects logprobs, losses and work of the datums of one call. Nothing leaves the device before the end."""

    def __init__(self, datums: Sequence[Datum]) -> None:
        self._datums = datums
        self._batches: list[tuple[MicroBatch, Predictions]] = []
        self._logprobs: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._flops = 0.0

    def add(
        self,
        batch: MicroBatch,
        predictions: Predictions,
        logprobs: Tensor,
        flops: float,
        loss: Tensor | None = None,
    ) -> None:
        """The logprobs of a micro-batch's predictions, shaped as their targets, and its loss."""
        self._batches.append((batch, predictions))
        self._logprobs.append(logprobs.detach())
        self._losses += [] if loss is None else [loss.detach()]
        self._flops += flops

    def result(self, device: torch.device) -> ForwardResult:
        """Logprobs in the order of the datums, NaN where none was computed."""
        shape = self._datums[0].targets.shape[1:] if self._datums else ()
        logprobs = torch.cat([torch.empty(0, *shape, device=device), *self._logprobs]).float()
        found = put_back([len(datum) for datum in self._datums], self._batches, logprobs)
        metrics = {
            "loss": sum(loss.item() for loss in self._losses),
            "flops": self._flops,
            "peak_memory_bytes": float(peak_memory_bytes(device)),
        }
        return ForwardResult(found, metrics)


def put_back(
    lengths: Sequence[int], batches: Sequence[tuple[MicroBatch, Predictions]], found: Tensor
) -> list[np.ndarray]:
    """What was found for the predictions of micro-batches, `[n, ...]` end to end, as one array a datum,
    `[lengths[i], ...]`; NaN where nothing was.
    """
    missing = np.nan if found.is_floating_point() else -1
    arrays = found.cpu().numpy()

    def empty(length: int) -> np.ndarray:
        return np.full((length, *arrays.shape[1:]), missing, arrays.dtype)

    rows = [empty(length) for length in lengths]
    start = 0
    for batch, predictions in batches:
        laid = empty(sum(batch.lengths))
        end = start + len(predictions)
        laid[... if predictions.counted is None else predictions.counted] = arrays[start:end]
        start = end
        of_documents = np.split(laid, np.cumsum(batch.lengths)[:-1])
        for index, row in zip(batch.indices, of_documents, strict=True):
            rows[index][: len(row)] = row
    return rows
