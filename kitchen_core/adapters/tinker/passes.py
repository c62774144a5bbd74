"""Forward and backward passes: what is asked of the service, and what is computed of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tinker

from kitchen_core.adapters.checks import Limits, check_inputs, check_single_targets
from kitchen_core.adapters.tinker.datums import (
    STABLE_REINFORCE,
    Request,
    logprobs_of,
    request,
    speaks,
    weighted,
)
from kitchen_core.adapters.tinker.journal import Sent
from kitchen_core.adapters.tinker.lane import Turn
from kitchen_core.adapters.tinker.remote_model import RemoteModel
from kitchen_core.train.losses import Loss, find_loss
from kitchen_core.train.losses.named import CLIPS, check_options
from kitchen_core.train.types import Datum, FloatArray, ForwardResult, LossSpec

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss


@dataclass(frozen=True)
class Passes:
    """The passes of one model, each in its turn.

    Losses are computed here of the logprobs that come back, so that they are ours, exactly, whatever a
    server makes of sums and means; the gradient is the service's.
    """

    model: RemoteModel
    limits: Limits
    gradient_is_coming: Callable[[], None]

    async def forward(self, turn: Turn, datums: Sequence[Datum], spec: LossSpec) -> ForwardResult:
        """The loss and every target's logprob, without a gradient."""
        async with turn:
            loss = self._checked(datums, spec)
            sent = await self._send_forward(datums)
        output = await self.model.result("forward", sent)
        return await _result(loss, datums, output)

    async def forward_backward(
        self, turn: Turn, datums: Sequence[Datum], spec: LossSpec
    ) -> ForwardResult:
        """The loss and its gradient, added to what has accumulated."""
        if not speaks(datums, spec):
            return await self._computed_here(turn, datums, spec)
        async with turn:
            loss = self._checked(datums, spec)
            asked = await asyncio.to_thread(request, datums, spec)
            sent = self._send_gradient(asked)
        output = await self.model.result("forward_backward", sent)
        return await _result(loss, datums, output)

    async def forward_backward_custom(
        self, turn: Turn, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> ForwardResult:
        """As `forward_backward`, with a loss written in torch over all datums at once.

        The SDK has this too, but there a loss function that fails makes the client useless. The turn
        lasts until the loss is known: the gradient has to be sent before anything later.
        """
        async with turn:
            self.limits.check_datums(datums)
            check_single_targets("a custom loss", datums)
            sent = await self._send_forward(datums)
            output = await self.model.result("forward", sent)
            logprobs = logprobs_of(output, datums)
            metrics, weights = await asyncio.to_thread(_turned, loss_fn, datums, logprobs)
            asked = await asyncio.to_thread(weighted, datums, weights)
            backward = self._send_gradient(asked)
        await self.model.result("forward_backward", backward)
        return ForwardResult(logprobs, metrics)

    async def _computed_here(
        self, turn: Turn, datums: Sequence[Datum], spec: LossSpec
    ) -> ForwardResult:
        """A named loss that the service does not have as we have it."""
        loss = find_loss(spec)
        self.limits.check_datums(datums)
        check_inputs(loss, datums)
        result = await self.forward_backward_custom(turn, datums, loss.of_datums)
        metrics = await asyncio.to_thread(loss.metrics, datums, result.logprobs)
        return ForwardResult(result.logprobs, result.metrics | metrics)

    async def _send_forward(self, datums: Sequence[Datum]) -> Sent[tinker.ForwardBackwardOutput]:
        """The logprobs alone are asked for, as cross-entropy, which every server has."""
        asked = await asyncio.to_thread(weighted, datums, [datum.weights for datum in datums])
        return self.model.send(lambda client: client.forward(asked.data, asked.loss))

    def _send_gradient(self, asked: Request) -> Sent[tinker.ForwardBackwardOutput]:
        self.gradient_is_coming()
        return self.model.send(
            lambda client: client.forward_backward(asked.data, asked.loss, asked.config),
            "gradient",
        )

    def _checked(self, datums: Sequence[Datum], spec: LossSpec) -> Loss | None:
        """The loss; None for the one whose formula only the service knows."""
        loss = None if spec.name == STABLE_REINFORCE else find_loss(spec)
        if loss is None:
            check_options(STABLE_REINFORCE, CLIPS, spec.options)
        self.limits.check_datums(datums)
        check_inputs(loss or find_loss(LossSpec("importance_sampling")), datums)
        return loss


async def _result(
    loss: Loss | None, datums: Sequence[Datum], output: tinker.ForwardBackwardOutput
) -> ForwardResult:
    logprobs = logprobs_of(output, datums)
    if loss is None:
        return ForwardResult(logprobs, {"loss": float(output.metrics["loss:sum"])})
    if loss.reads:
        return ForwardResult(logprobs, await asyncio.to_thread(_value, loss, datums, logprobs))
    value = -sum(
        float(np.vdot(datum.weights, np.where(datum.weights != 0, row, 0)))
        for datum, row in zip(datums, logprobs, strict=True)
    )
    return ForwardResult(logprobs, {"loss": value})


def _value(loss: Loss, datums: Sequence[Datum], logprobs: list[FloatArray]) -> dict[str, float]:
    """The metrics of a policy loss."""
    import torch

    rows = [torch.from_numpy(row) for row in logprobs]
    value, _ = loss.of_datums(datums, rows)
    return {"loss": value.item()} | loss.metrics(datums, logprobs)


def _turned(
    loss_fn: CustomLoss, datums: Sequence[Datum], logprobs: list[FloatArray]
) -> tuple[dict[str, float], list[FloatArray]]:
    from kitchen_core.adapters.custom_loss import turned_gradients

    return turned_gradients(loss_fn, datums, logprobs)
