"""Forward and backward passes over datums, in numpy; torch only for the losses that are written in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kitchen_core.adapters.checks import Limits, check_inputs, check_single_targets
from kitchen_core.adapters.memory.bigram import Bigram, Table
from kitchen_core.adapters.process_memory import peak_process_bytes
from kitchen_core.adapters.teaching import taught_datums
from kitchen_core.train.losses import Loss, find_loss
from kitchen_core.train.losses.divergence import check_divergence
from kitchen_core.train.types import Datum, Divergence, FloatArray, ForwardResult, LossSpec

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss

_FORWARD, _TRAINING = 2, 6
"""Operations a weight, as the field counts them."""


@dataclass(frozen=True)
class Passes:
    """The passes of one table."""

    bigram: Bigram
    limits: Limits

    def forward(self, datums: Sequence[Datum], spec: LossSpec) -> ForwardResult:
        """The loss and every target's logprob, without a gradient."""
        loss = self._checked(datums, spec)
        logprobs = self._logprobs(datums)
        metrics, _ = _value(loss, datums, logprobs)
        return self._result(datums, logprobs, metrics, _FORWARD)

    def forward_backward(self, datums: Sequence[Datum], spec: LossSpec) -> ForwardResult:
        """The loss and its gradient, added to what has accumulated."""
        loss = self._checked(datums, spec)
        logprobs = self._logprobs(datums)
        metrics, weights = _value(loss, datums, logprobs)
        self.bigram.add_gradient(datums, weights)
        return self._result(datums, logprobs, metrics, _TRAINING)

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> ForwardResult:
        """As `forward_backward`, with a loss written in torch over all datums at once."""
        from kitchen_core.adapters.custom_loss import turned_gradients

        self.limits.check_datums(datums)
        check_single_targets("a custom loss", datums)
        logprobs = self._logprobs(datums)
        metrics, weights = turned_gradients(loss_fn, datums, logprobs)
        self.bigram.add_gradient(datums, weights)
        return self._result(datums, logprobs, metrics, _TRAINING)

    def forward_backward_divergence(
        self,
        datums: Sequence[Datum],
        teacher: Table,
        prompts: Sequence[Sequence[int]],
        divergence: Divergence,
    ) -> ForwardResult:
        """The divergence from a teacher's table, and its gradient."""
        check_divergence(divergence)
        self.limits.check_datums(datums)
        check_single_targets(divergence, datums)
        taught = taught_datums(datums, prompts)
        self.limits.check_datums(taught, "the teacher's datum")
        logprobs = self._logprobs(datums)
        value = sum(
            self.bigram.add_divergence(*both, teacher, divergence)
            for both in zip(datums, taught, strict=True)
        )
        return self._result(datums, logprobs, {"loss": value}, _TRAINING + _FORWARD)

    def _checked(self, datums: Sequence[Datum], spec: LossSpec) -> Loss:
        loss = find_loss(spec)
        self.limits.check_datums(datums)
        check_inputs(loss, datums)
        return loss

    def _logprobs(self, datums: Sequence[Datum]) -> list[FloatArray]:
        return [self.bigram.target_logprobs(datum) for datum in datums]

    def _result(
        self,
        datums: Sequence[Datum],
        logprobs: list[FloatArray],
        metrics: dict[str, float],
        operations: int,
    ) -> ForwardResult:
        work = {
            "flops": float(operations * self.limits.vocab_size * sum(map(len, datums))),
            "peak_memory_bytes": float(peak_process_bytes()),
        }
        return ForwardResult(logprobs, work | metrics)


def _value(
    loss: Loss, datums: Sequence[Datum], logprobs: list[FloatArray]
) -> tuple[dict[str, float], list[FloatArray]]:
    """The loss's metrics, and the weights with which cross-entropy has the same gradient."""
    if not loss.reads:  # it is cross-entropy, and costs no torch
        value = -sum(
            float(np.vdot(d.weights, row)) for d, row in zip(datums, logprobs, strict=True)
        )
        return {"loss": value}, [datum.weights for datum in datums]
    from kitchen_core.adapters.custom_loss import turned_gradients

    metrics, weights = turned_gradients(loss.of_datums, datums, logprobs)
    return metrics | loss.metrics(datums, logprobs), weights
