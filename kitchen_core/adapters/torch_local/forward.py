"""Forward and backward passes over datums, a micro-batch at a time, logits a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kitchen_core.adapters.custom_loss import turned_gradients
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch, Predictions
from kitchen_core.adapters.torch_local.parts import Parts
from kitchen_core.adapters.torch_local.results import Results
from kitchen_core.train.losses import CROSS_ENTROPY, Loss, cross_entropy, target_logprobs
from kitchen_core.train.packing import plan_micro_batches
from kitchen_core.train.types import BoolArray, Datum, ForwardResult

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
    def forward(self, datums: Sequence[Datum], loss: Loss = CROSS_ENTROPY) -> ForwardResult:
        """The loss and the logprob of every target, without a gradient."""
        every = self._micro_batches(datums, [len(datum) for datum in datums])
        scored = self._scored(datums, every, None)
        value, _ = loss.of_datums(datums, [torch.from_numpy(row) for row in scored.logprobs])
        return _with(scored, {"loss": value.item()} | loss.metrics(datums, scored.logprobs))

    def forward_backward(
        self, datums: Sequence[Datum], loss: Loss = CROSS_ENTROPY
    ) -> ForwardResult:
        """The loss and its gradient, added to what has accumulated.

        Only predictions with a weight are scored, and nothing after the last of them is read. Of a
        batch without any weight the shortest datum is read, for a gradient of zeros.
        """
        found = (
            self.forward_backward_custom(datums, loss.of_datums)
            if loss.whole
            else self._token_by_token(datums, loss)
        )
        return _with(found, loss.metrics(datums, found.logprobs))

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> ForwardResult:
        """A loss written over the target logprobs of all datums at once. Only predictions with a
        weight are scored; the loss function sees 0.0 for the others.

        The loss's gradient by the logprobs is found first; turned round it is what cross-entropy
        calls weights, and is carried into the model in the same way. Where one micro-batch holds
        all datums its graph is kept in between; else its forward pass is done twice.
        """
        counted = [datum.counted for datum in datums]
        batches = list(self._micro_batches(datums, [_reach(row) for row in counted]))
        if len(batches) == 1:
            return self._custom_in_one(batches[0], datums, counted, loss_fn)
        scored = self._scored(datums, batches, counted)
        metrics, weights = turned_gradients(loss_fn, datums, scored.logprobs)
        turned = [replace(d, weights=w) for d, w in zip(datums, weights, strict=True)]
        work = self._token_by_token(turned, CROSS_ENTROPY)
        return ForwardResult(scored.logprobs, work.metrics | metrics)

    def _token_by_token(self, datums: Sequence[Datum], loss: Loss) -> ForwardResult:
        """The loss of tokens and its gradient, a micro-batch at a time."""
        counted: list[BoolArray] | None = [datum.counted for datum in datums]
        lengths = [_reach(row) for row in counted]
        if not any(lengths):
            shortest = min(range(len(datums)), key=lambda i: len(datums[i]))
            lengths[shortest], counted = len(datums[shortest]), None
        inputs = loss.inputs(datums)
        results = Results(datums)
        for batch in self._micro_batches(datums, lengths):
            predictions = batch.predictions(datums, inputs, counted)
            found, value = self._backward(self._parts.hidden(batch), predictions, loss)
            flops = self._flops.training(batch.lengths, len(predictions))
            results.add(batch, predictions, found, flops, value)
        return results.result(self._parts.device)

    def _custom_in_one(
        self,
        batch: MicroBatch,
        datums: Sequence[Datum],
        counted: Sequence[BoolArray],
        loss_fn: CustomLoss,
    ) -> ForwardResult:
        """The head's graph is kept as well, where its logits are few enough."""
        hidden = self._parts.hidden(batch)
        predictions = batch.predictions(datums, counted=counted)
        keep = len(predictions) <= self._chunk
        with torch.set_grad_enabled(keep):
            logprobs = self._score(hidden, predictions)
        results = Results(datums)
        flops = self._flops.training(batch.lengths, len(predictions))
        results.add(batch, predictions, logprobs, flops)
        scored = results.result(self._parts.device)
        metrics, weights = turned_gradients(loss_fn, datums, scored.logprobs)
        turned = batch.predictions(datums, [weights], counted)
        if keep:
            cross_entropy(logprobs, *turned.inputs).backward()
        else:
            self._backward(hidden, turned, CROSS_ENTROPY)
        return _with(scored, metrics)

    @torch.no_grad()
    def _scored(
        self,
        datums: Sequence[Datum],
        batches: Iterable[MicroBatch],
        counted: Sequence[BoolArray] | None,
    ) -> ForwardResult:
        """The logprobs of the targets that count, or of all."""
        results = Results(datums)
        for batch in batches:
            predictions = batch.predictions(datums, counted=counted)
            logprobs = self._score(self._parts.hidden(batch), predictions)
            results.add(
                batch, predictions, logprobs, self._flops.forward(batch.lengths, len(predictions))
            )
        return results.result(self._parts.device)

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

    def _backward(
        self, hidden: Tensor, predictions: Predictions, loss: Loss
    ) -> tuple[Tensor, Tensor]:
        """The logprobs and the loss, whose gradient goes into the model.

        Each chunk's logits live from its forward to its backward pass; what they leave is the
        gradient by the hidden states, which then goes through the body at once.
        """
        picked = _picked(hidden, predictions)
        logprobs, losses, gradients = [], [], []
        for start in range(0, len(predictions), self._chunk):
            chunk = slice(start, start + self._chunk)
            states = picked[chunk].detach().requires_grad_(picked.requires_grad)
            found = self._logprobs(states, predictions.targets[chunk])
            value = loss.of_tokens(found, *(each[chunk] for each in predictions.inputs))
            value.backward()
            logprobs.append(found.detach())
            losses.append(value.detach())
            gradients.append(states.grad)
        if picked.requires_grad:  # else nothing below the head is trained
            picked.backward(torch.cat(gradients))
        return torch.cat(logprobs), torch.stack(losses).sum()

    def _logprobs(self, states: Tensor, targets: Tensor) -> Tensor:
        return target_logprobs(self._parts.logits(states), targets)

    @property
    def _chunk(self) -> int:
        return max(1, self._logits_at_a_time // self._parts.vocab_size)


def _with(found: ForwardResult, metrics: dict[str, float]) -> ForwardResult:
    return ForwardResult(found.logprobs, found.metrics | metrics)


def _reach(counted: BoolArray) -> int:
    """How many tokens are read for the predictions that count: up to the last of them."""
    places = counted.nonzero()[0]
    return int(places[-1]) + 1 if len(places) else 0


def _picked(hidden: Tensor, predictions: Predictions) -> Tensor:
    """The states `[n, hidden]` that the predictions are made from."""
    return hidden if predictions.places is None else hidden[predictions.places]
