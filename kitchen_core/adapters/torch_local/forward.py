"""Forward and backward passes over datums, a micro-batch at a time, logits a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kitchen_core.adapters.custom_loss import turned_gradients
from kitchen_core.adapters.torch_local.divergence import FromTeacher
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch, Predictions, picked
from kitchen_core.adapters.torch_local.reading import Reader, reach
from kitchen_core.adapters.torch_local.results import Results
from kitchen_core.train.losses import CROSS_ENTROPY, Loss, cross_entropy, target_logprobs
from kitchen_core.train.types import BoolArray, Datum, Divergence, ForwardResult

if TYPE_CHECKING:
    from kitchen_core.adapters.torch_local.engine import Opened
    from kitchen_core.train.ports.training import CustomLoss

Score = Callable[[Tensor, slice], tuple[Tensor, Tensor]]
"""From a chunk's logits `[chunk, vocab]`, and where it lies among the predictions, to its targets'
logprobs and its loss.
"""


class Passes:
    """The passes of one model. All losses are sums, so that no layout changes a gradient."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._parts = reader.parts

    def forward(self, datums: Sequence[Datum], loss: Loss = CROSS_ENTROPY) -> ForwardResult:
        """The loss and the logprob of every target, without a gradient."""
        scored = self._reader.scored(datums)
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
        batches = list(self._reader.micro_batches(datums, [reach(row) for row in counted]))
        if len(batches) == 1:
            return self._custom_in_one(batches[0], datums, counted, loss_fn)
        scored = self._reader.scored(datums, batches, counted)
        metrics, weights = turned_gradients(loss_fn, datums, scored.logprobs)
        turned = [replace(d, weights=w) for d, w in zip(datums, weights, strict=True)]
        work = self._token_by_token(turned, CROSS_ENTROPY)
        return ForwardResult(scored.logprobs, work.metrics | metrics)

    def forward_backward_divergence(
        self,
        datums: Sequence[Datum],
        teacher: Opened,
        taught: Sequence[Datum],
        divergence: Divergence,
    ) -> ForwardResult:
        """The divergence from a teacher at the predictions with a weight, and its gradient.

        taught: what the teacher reads for each datum; as many of its predictions count.
        """
        counted = [datum.counted for datum in datums]
        lengths = [reach(row) for row in counted]
        if not any(lengths):
            return self._token_by_token(datums, CROSS_ENTROPY)
        weights = [datum.weights for datum in datums]
        results = Results(datums)
        for batch in self._reader.micro_batches(datums, lengths):
            with teacher() as engine:
                states, read = engine.reader.states([taught[index] for index in batch.indices])
            predictions = batch.predictions(datums, [weights], counted)
            score = FromTeacher(divergence, teacher, states, predictions)
            half = max(1, self._reader.chunk // 2)  # two models' logits are held
            hidden = self._parts.hidden(batch)
            found, value = self._backward(hidden, predictions, score, half)
            flops = self._reader.flops.training(batch.lengths, len(predictions), batch.shared)
            results.add(batch, predictions, found, flops + read, value)
        return results.result(self._parts.device)

    def _token_by_token(self, datums: Sequence[Datum], loss: Loss) -> ForwardResult:
        """The loss of tokens and its gradient, a micro-batch at a time."""
        counted: list[BoolArray] | None = [datum.counted for datum in datums]
        lengths = [reach(row) for row in counted]
        if not any(lengths):
            shortest = min(range(len(datums)), key=lambda i: len(datums[i]))
            lengths[shortest], counted = len(datums[shortest]), None
        inputs = loss.inputs(datums)
        results = Results(datums)
        for batch in self._reader.micro_batches(datums, lengths):
            predictions = batch.predictions(datums, inputs, counted)
            score = _scored_by(loss, predictions)
            found, value = self._backward(self._parts.hidden(batch), predictions, score)
            flops = self._reader.flops.training(batch.lengths, len(predictions), batch.shared)
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
        keep = len(predictions) <= self._reader.chunk
        with torch.set_grad_enabled(keep):
            logprobs = self._reader.score(hidden, predictions)
        results = Results(datums)
        flops = self._reader.flops.training(batch.lengths, len(predictions), batch.shared)
        results.add(batch, predictions, logprobs, flops)
        scored = results.result(self._parts.device)
        metrics, weights = turned_gradients(loss_fn, datums, scored.logprobs)
        turned = batch.predictions(datums, [weights], counted)
        if keep:
            cross_entropy(logprobs, *turned.inputs).backward()
        else:
            self._backward(hidden, turned, _scored_by(CROSS_ENTROPY, turned))
        return _with(scored, metrics)

    def _backward(
        self, hidden: Tensor, predictions: Predictions, score: Score, at_once: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """The logprobs and the loss, whose gradient goes into the model.

        Each chunk's logits live from its forward to its backward pass; what they leave is the
        gradient by the hidden states, which then goes through the body at once.
        """
        used = picked(hidden, predictions)
        at_once = at_once or self._reader.chunk
        logprobs, losses, gradients = [], [], []
        for start in range(0, len(predictions), at_once):
            chunk = slice(start, start + at_once)
            states = used[chunk].detach().requires_grad_(used.requires_grad)
            found, value = score(self._parts.logits(states), chunk)
            value.backward()
            logprobs.append(found.detach())
            losses.append(value.detach())
            gradients.append(states.grad)
        if used.requires_grad:  # else nothing below the head is trained
            used.backward(torch.cat(gradients))
        return torch.cat(logprobs), torch.stack(losses).sum()


def _scored_by(loss: Loss, predictions: Predictions) -> Score:
    """A loss of tokens, from a chunk's logits."""

    def score(logits: Tensor, chunk: slice) -> tuple[Tensor, Tensor]:
        logprobs = target_logprobs(logits, predictions.targets[chunk])
        return logprobs, loss.of_tokens(logprobs, *(each[chunk] for each in predictions.inputs))

    return score


def _with(found: ForwardResult, metrics: dict[str, float]) -> ForwardResult:
    return ForwardResult(found.logprobs, found.metrics | metrics)
