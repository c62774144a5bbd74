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
    """Collects logprobs, losses and work. Nothing leaves the device before the end."""

    def __init__(self, datums: Sequence[Datum]) -> None:
        self._found = [np.full(datum.targets.shape, np.nan, np.float32) for datum in datums]
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
        sizes = [len(logprobs) for logprobs in self._logprobs]
        at_once = torch.cat(self._logprobs).float().cpu() if sizes else torch.empty(0)
        parts = at_once.split(sizes)
        for (batch, predictions), found in zip(self._batches, parts, strict=True):
            laid = np.full((sum(batch.lengths), *found.shape[1:]), np.nan, np.float32)
            laid[... if predictions.counted is None else predictions.counted] = found.numpy()
            rows = np.split(laid, np.cumsum(batch.lengths)[:-1])
            for index, row in zip(batch.indices, rows, strict=True):
                self._found[index][: len(row)] = row
        metrics = {
            "loss": sum(loss.item() for loss in self._losses),
            "flops": self._flops,
            "peak_memory_bytes": float(peak_memory_bytes(device)),
        }
        return ForwardResult(self._found, metrics)
