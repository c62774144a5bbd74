"""Forward and backward passes over datums, a micro-batch at a time, logits a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.custom_loss import custom_gradients
from kitchen_core.adapters.torch_local.device import peak_memory_bytes
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch, Predictions
from kitchen_core.adapters.torch_local.parts import Parts
from kitchen_core.train.losses import cross_entropy, target_logprobs
from kitchen_core.train.packing import plan_micro_batches
from kitchen_core.train.types import Datum, FloatArray, ForwardResult

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss

LOGITS_AT_A_TIME = {"cpu": 2**23, "cuda": 2**27}
"""How many logits are held at once: with their gradient 64 MB and 1.5 GB. Small chunks stay in a
CPU's cache; a GPU wants a thousand tokens even of a vocabulary of 150,000.
"""


class Passes:
    """The passes of one model. All losses are sums, so that no layout changes a gradient."""

    def __init__(
        self,
        parts: Parts,
        flops: Flops,
        *,
        micro_batch_tokens: int,
        packing: bool = True,
        logits_at_a_time: int | None = None,
    ) -> None:
        self._parts = parts
        self._flops = flops
        self._packing = packing and parts.isolates
        alone = not (self._packing or parts.pads)
        self._micro_batch_tokens = 1 if alone else micro_batch_tokens
        self._logits_at_a_time = logits_at_a_time or LOGITS_AT_A_TIME[parts.device.type]

    @torch.no_grad()
    def forward(self, datums: Sequence[Datum]) -> ForwardResult:
        """Cross-entropy and the logprob of every target, without a gradient."""
        weights = [datum.weights for datum in datums]
        done = _Done(datums)
        for batch in self._micro_batches(datums, [len(datum) for datum in datums]):
            predictions = batch.predictions(datums, weights, every=True)
            logprobs = self._score(self._parts.hidden(batch), predictions)
            loss = cross_entropy(logprobs, predictions.weights)
            flops = self._flops.forward(batch.lengths, len(predictions))
            done.add(batch, predictions, logprobs, loss, flops)
        return done.result(self._parts.device)

    def forward_backward(self, datums: Sequence[Datum]) -> ForwardResult:
        """Cross-entropy and its gradient, added to what has accumulated.

        Only predictions with a weight are scored, and nothing after the last of them is read. Of a
        batch without any weight the shortest datum is read, for a gradient of zeros.
        """
        weights = [datum.weights for datum in datums]
        lengths = [_reach(weight) for weight in weights]
        silent = not any(lengths)
        if silent:
            shortest = min(range(len(datums)), key=lambda i: len(datums[i]))
            lengths[shortest] = len(datums[shortest])
        done = _Done(datums)
        for batch in self._micro_batches(datums, lengths):
            predictions = batch.predictions(datums, weights, every=silent)
            logprobs, loss = self._backward(self._parts.hidden(batch), predictions)
            flops = self._flops.training(batch.lengths, len(predictions))
            done.add(batch, predictions, logprobs, loss, flops)
        return done.result(self._parts.device)

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> ForwardResult:
        """A loss written over the target logprobs of all datums at once.

        The loss's gradient by the logprobs is found first; turned round it is what cross-entropy
        calls weights, and is carried into the model in the same way. Where one micro-batch holds
        all datums the body's graph is kept in between; else its forward pass is done twice.
        """
        batches = list(self._micro_batches(datums, [len(datum) for datum in datums]))
        if len(batches) == 1:
            return self._custom_in_one(batches[0], datums, loss_fn)
        scored = self.forward(datums)
        metrics, weights = _turned_gradients(loss_fn, datums, scored)
        weighted = [replace(d, weights=w) for d, w in zip(datums, weights, strict=True)]
        work = self.forward_backward(weighted).metrics
        return ForwardResult(scored.logprobs, work | metrics)

    def _custom_in_one(
        self, batch: MicroBatch, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> ForwardResult:
        hidden = self._parts.hidden(batch)
        every = batch.predictions(datums, [datum.weights for datum in datums], every=True)
        done = _Done(datums)
        with torch.no_grad():
            done.add(batch, every, self._score(hidden, every), torch.zeros(()), 0.0)
        scored = done.result(self._parts.device)
        metrics, weights = _turned_gradients(loss_fn, datums, scored)
        silent = not any(weight.any() for weight in weights)
        predictions = batch.predictions(datums, weights, every=silent)
        self._backward(hidden, predictions)
        work = {"flops": self._flops.training(batch.lengths, len(predictions))}
        return ForwardResult(scored.logprobs, scored.metrics | work | metrics)

    def _micro_batches(
        self, datums: Sequence[Datum], lengths: Sequence[int]
    ) -> Iterator[MicroBatch]:
        """The first `lengths[i]` tokens of each datum, where that is any."""
        read = [index for index, length in enumerate(lengths) if length]
        plans = plan_micro_batches(
            [lengths[index] for index in read], self._micro_batch_tokens, packing=self._packing
        )
        for plan in plans:
            own = replace(plan, indices=tuple(read[i] for i in plan.indices))
            yield MicroBatch.of(own, lengths, datums, self._parts.device)

    def _score(self, hidden: Tensor, predictions: Predictions) -> Tensor:
        """The logprobs of the predictions' targets, `[n]`, a chunk at a time."""
        states = _picked(hidden, predictions).split(self._chunk)
        targets = predictions.targets.split(self._chunk)
        return torch.cat([self._logprobs(*chunk) for chunk in zip(states, targets, strict=True)])

    def _backward(self, hidden: Tensor, predictions: Predictions) -> tuple[Tensor, Tensor]:
        """The logprobs `[n]` and the loss, whose gradient goes into the model.

        Each chunk's logits live from its forward to its backward pass; what they leave is the
        gradient by the hidden states, which then goes through the body at once.
        """
        picked = _picked(hidden, predictions)
        logprobs, losses, gradients = [], [], []
        for start in range(0, len(predictions), self._chunk):
            chunk = slice(start, start + self._chunk)
            states = picked[chunk].detach().requires_grad_(picked.requires_grad)
            found = self._logprobs(states, predictions.targets[chunk])
            loss = cross_entropy(found, predictions.weights[chunk])
            loss.backward()
            logprobs.append(found.detach())
            losses.append(loss.detach())
            gradients.append(states.grad)
        if picked.requires_grad:  # else nothing below the head is trained
            picked.backward(torch.cat(gradients))
        return torch.cat(logprobs), torch.stack(losses).sum()

    def _logprobs(self, states: Tensor, targets: Tensor) -> Tensor:
        return target_logprobs(self._parts.logits(states), targets)

    @property
    def _chunk(self) -> int:
        return max(1, self._logits_at_a_time // self._parts.vocab_size)


class _Done:
    """What the micro-batches of a call have given. Nothing leaves the device before the end."""

    def __init__(self, datums: Sequence[Datum]) -> None:
        self._found = [np.full(len(datum), np.nan, np.float32) for datum in datums]
        self._batches: list[tuple[MicroBatch, Predictions]] = []
        self._logprobs: list[Tensor] = []
        self._losses: list[Tensor] = []
        self._flops = 0.0

    def add(
        self,
        batch: MicroBatch,
        predictions: Predictions,
        logprobs: Tensor,
        loss: Tensor,
        flops: float,
    ) -> None:
        self._batches.append((batch, predictions))
        self._logprobs.append(logprobs)
        self._losses.append(loss)
        self._flops += flops

    def result(self, device: torch.device) -> ForwardResult:
        """Logprobs in the order of the datums, NaN where none was computed."""
        nothing = torch.zeros(0, device=device)  # there may be no datums
        found = torch.cat([nothing, *self._logprobs]).float().cpu().numpy()
        start = 0
        for batch, predictions in self._batches:
            laid = np.full(sum(batch.lengths), np.nan, np.float32)
            end = start + len(predictions)
            laid[... if predictions.counted is None else predictions.counted] = found[start:end]
            start = end
            rows = np.split(laid, np.cumsum(batch.lengths)[:-1])
            for index, row in zip(batch.indices, rows, strict=True):
                self._found[index][: len(row)] = row
        metrics = {
            "loss": sum(loss.item() for loss in self._losses),
            "flops": self._flops,
            "peak_memory_bytes": float(peak_memory_bytes(device)),
        }
        return ForwardResult(self._found, metrics)


def _turned_gradients(
    loss_fn: CustomLoss, datums: Sequence[Datum], scored: ForwardResult
) -> tuple[dict[str, float], list[FloatArray]]:
    """The loss's metrics, and for each datum what cross-entropy would need as weights `[seq]` to
    have the same gradient.
    """
    metrics, gradients = custom_gradients(loss_fn, datums, scored.logprobs)
    return metrics, [-gradient.numpy() for gradient in gradients]


def _reach(weights: FloatArray) -> int:
    """How many tokens are read for the predictions that count: up to the last of them."""
    counted = weights.nonzero()[0]
    return int(counted[-1]) + 1 if len(counted) else 0


def _picked(hidden: Tensor, predictions: Predictions) -> Tensor:
    """The states `[n, hidden]` that the predictions are made from."""
    return hidden if predictions.places is None else hidden[predictions.places]
