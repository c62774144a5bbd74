"""Forward and backward passes over datums, a micro-batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from kitchen_core.adapters.custom_loss import custom_gradients
from kitchen_core.adapters.torch_local.loading import autocast
from kitchen_core.train.losses import cross_entropy, target_logprobs
from kitchen_core.train.types import Datum, ForwardResult

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss

BackwardFrom = Callable[[Tensor], None]


class Passes:
    """The passes of one model. All losses are sums, so the micro-batch size never changes a gradient."""

    def __init__(self, model: nn.Module, device: torch.device, micro_batch_tokens: int) -> None:
        self._model = model
        self._device = device
        self._micro_batch_tokens = micro_batch_tokens

    @torch.no_grad()
    def forward(self, datums: Sequence[Datum]) -> ForwardResult:
        """Cross-entropy and target logprobs, without a gradient."""
        return self._cross_entropy(datums, backward=lambda _: None)

    def forward_backward(self, datums: Sequence[Datum]) -> ForwardResult:
        """Cross-entropy and target logprobs; the gradient is added to what has accumulated."""
        return self._cross_entropy(datums, backward=_backward)

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> ForwardResult:
        """A loss written over the target logprobs of all datums at once.

        The loss's gradient by the logprobs is found first, and then carried into the weights one
        micro-batch at a time. Where one micro-batch holds all datums its graph is kept in between;
        else the forward pass is done a second time.
        """
        batches = list(self._micro_batches(datums))
        with torch.set_grad_enabled(len(batches) == 1):
            by_batch = [self.target_logprobs(batch) for batch in batches]
        logprobs = [
            row.numpy()
            for batch, padded in zip(batches, by_batch, strict=True)
            for row in _rows(padded.detach().cpu(), batch)
        ]
        metrics, gradients = custom_gradients(loss_fn, datums, logprobs)
        remaining = iter(gradients)
        for batch, padded in zip(batches, by_batch, strict=True):
            gradient = self._padded([next(remaining) for _ in batch], torch.float32)
            graph = padded if padded.requires_grad else self.target_logprobs(batch)
            graph.backward(gradient)
        return ForwardResult(logprobs, metrics)

    def target_logprobs(self, batch: Sequence[Datum]) -> Tensor:
        """Each target's logprob, `[batch, seq]` in float32, padded on the right.

        Causal attention never looks to the right, so padding needs no mask.
        """
        tokens = self._padded([torch.from_numpy(d.tokens) for d in batch], torch.int64)
        targets = self._padded([torch.from_numpy(d.targets) for d in batch], torch.int64)
        with autocast(self._device):
            logits = self._model(input_ids=tokens, use_cache=False).logits  # [batch, seq, vocab]
        return target_logprobs(logits, targets)

    def _cross_entropy(self, datums: Sequence[Datum], backward: BackwardFrom) -> ForwardResult:
        losses: list[Tensor] = []
        logprobs: list[np.ndarray] = []
        for batch in self._micro_batches(datums):
            weights = self._padded([torch.from_numpy(d.weights) for d in batch], torch.float32)
            batch_logprobs = self.target_logprobs(batch)
            loss = cross_entropy(batch_logprobs, weights)
            backward(loss)
            losses.append(loss.detach())
            rows = _rows(batch_logprobs.detach().cpu(), batch)
            logprobs.extend(row.numpy() for row in rows)
        return ForwardResult(logprobs, {"loss": float(sum(loss.item() for loss in losses))})

    def _micro_batches(self, datums: Sequence[Datum]) -> Iterator[Sequence[Datum]]:
        batch: list[Datum] = []
        for datum in datums:
            longest = max(map(len, [*batch, datum]))
            if batch and longest * (len(batch) + 1) > self._micro_batch_tokens:
                yield batch
                batch = []
            batch.append(datum)
        if batch:
            yield batch

    def _padded(self, rows: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
        padded = torch.zeros(len(rows), max(map(len, rows)), dtype=dtype)
        for row, values in zip(padded, rows, strict=True):
            row[: len(values)] = values
        return padded.to(self._device)


def _backward(loss: Tensor) -> None:
    loss.backward()


def _rows(padded: Tensor, batch: Sequence[Datum]) -> list[Tensor]:
    """Each datum's own part of `[batch, seq]`, as a tensor of its own."""
    return [row[: len(datum)].clone() for row, datum in zip(padded, batch, strict=True)]
