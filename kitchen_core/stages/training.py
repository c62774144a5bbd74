"""One optimizer step: gradient, update, and what there is to say about it.

The first two only submit work and hand on its handles, so that a backend can pipeline them;
LogMetrics waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from kitchen_core.stages.datums import Batch
from kitchen_core.train.datums import mean_nll, reduce_weights
from kitchen_core.train.schedules import lr_multiplier
from kitchen_core.train.types import (
    AdamParams,
    Datum,
    DeviceFacts,
    ForwardResult,
    LossSpec,
    OptimResult,
)
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class Submitted:
    """A forward-backward pass under way.

    datums: what was submitted, with the weights of the loss. at: when (seconds, monotonic).
    """

    handle: Awaitable[ForwardResult]
    datums: list[Datum]
    at: float


@dataclass(frozen=True)
class Update:
    """An optimizer step under way, and its learning rate."""

    handle: Awaitable[OptimResult]
    learning_rate: float


class ForwardBackward(Stage):
    """Submit the batch's forward and backward pass."""

    name = "ForwardBackward"
    reads = ("session", "batch")
    writes = MappingProxyType({"submitted": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `submitted`: Submitted."""
        batch: Batch = ctx.state["batch"]
        datums = reduce_weights(batch.datums, ctx.config.reduction)
        started = time.perf_counter()
        handle = ctx.state["session"].forward_backward(datums, LossSpec("cross_entropy"))
        ctx.state["submitted"] = Submitted(handle, datums, started)


class OptimStep(Stage):
    """Submit the optimizer step at the scheduled learning rate."""

    name = "OptimStep"
    reads = ("session", "submitted", "peak_lr")
    writes = MappingProxyType({"update": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `update`: Update."""
        adam = scheduled_adam(ctx)
        ctx.state["update"] = Update(ctx.state["session"].optim_step(adam), adam.learning_rate)


def scheduled_adam(ctx: StageContext) -> AdamParams:
    """The optimizer's settings at this step. The stage reads `peak_lr`."""
    config = ctx.config
    factor = lr_multiplier(
        config.lr_schedule,
        ctx.step,
        ctx.total_steps or 1,
        config.warmup_steps,
        config.min_lr_ratio,
    )
    return AdamParams(
        learning_rate=ctx.state["peak_lr"] * factor,
        weight_decay=config.weight_decay,
        grad_clip_norm=config.grad_clip_norm,
    )


class LogMetrics(Stage):
    """Wait for the step and record its metrics."""

    name = "LogMetrics"
    reads = ("session", "batch", "submitted", "update")

    async def run(self, ctx: StageContext) -> None:
        """Metrics are named as tinker-cookbook names them; a step's are those of the weights
        before it, and `train_mean_nll` weighs tokens as the loss does.
        """
        batch: Batch = ctx.state["batch"]
        done = await step_done(ctx)
        ctx.telemetry.metrics(
            ctx.step,
            {
                "train_mean_nll": mean_nll(done.forward.logprobs, ctx.state["submitted"].datums),
                "num_sequences": len(batch.datums),
                **about_step(ctx, batch, done),
            },
        )


@dataclass(frozen=True)
class StepDone:
    """What a step gave. seconds: from its submission to its end."""

    forward: ForwardResult
    optim: OptimResult
    seconds: float


async def step_done(ctx: StageContext) -> StepDone:
    """Wait for the step under way; reads `submitted` and `update`."""
    submitted: Submitted = ctx.state["submitted"]
    forward, optim = await ctx.wait(both(submitted.handle, ctx.state["update"].handle))
    return StepDone(forward, optim, time.perf_counter() - submitted.at)


def about_step(ctx: StageContext, batch: Batch, done: StepDone) -> dict[str, float]:
    """The metrics that every kind of training has of a step; reads `session` and `update`."""
    tokens = sum(len(datum) for datum in batch.datums)
    return {
        "learning_rate": ctx.state["update"].learning_rate,
        "epoch": batch.epoch,
        "progress": (ctx.step + 1) / (ctx.total_steps or 1),
        "num_tokens": tokens,
        "num_loss_tokens": sum(datum.num_loss_tokens for datum in batch.datums),
        **{f"optim/{name}": value for name, value in done.optim.metrics.items()},
        "time/step_s": done.seconds,
        "time/tokens_per_s": tokens / done.seconds,
        **work(done.forward.metrics, ctx.state["session"].device_facts, done.seconds),
    }


async def both(
    first: Awaitable[ForwardResult], second: Awaitable[OptimResult]
) -> tuple[ForwardResult, OptimResult]:
    """Both results. Where the first failed its error is told: the second only failed after it."""
    done = await asyncio.gather(first, second, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    forward, optim = done
    return cast(ForwardResult, forward), cast(OptimResult, optim)


def work(metrics: Mapping[str, float], device: DeviceFacts, seconds: float) -> dict[str, float]:
    """How hard the device worked, as far as the backend says: TFLOP/s and the memory taken at most;
    and, where the device's peak is known, the model FLOP utilization (PaLM's MFU, a share).
    """
    work: dict[str, float] = {}
    if "flops" in metrics:
        work["time/tflops_per_s"] = metrics["flops"] / seconds / 1e12
        if device.peak_flops:
            work["time/mfu"] = metrics["flops"] / seconds / device.peak_flops
    if "peak_memory_bytes" in metrics:
        work["memory/peak_gib"] = metrics["peak_memory_bytes"] / 2**30
    return work
