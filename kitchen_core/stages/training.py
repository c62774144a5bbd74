"""One optimizer step: gradient, update, and what there is to say about it.

The first two only submit work and hand on its handles, so that a backend can pipeline them;
LogMetrics waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
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
        """Writes `update`: Update, or None where nothing was submitted to step on."""
        if ctx.state["submitted"] is None:
            ctx.state["update"] = None
            return
        config = ctx.config
        factor = lr_multiplier(
            config.lr_schedule,
            ctx.step,
            ctx.total_steps or 1,
            config.warmup_steps,
            config.min_lr_ratio,
        )
        adam = AdamParams(
            learning_rate=ctx.state["peak_lr"] * factor,
            weight_decay=config.weight_decay,
            grad_clip_norm=config.grad_clip_norm,
        )
        ctx.state["update"] = Update(ctx.state["session"].optim_step(adam), adam.learning_rate)


class LogMetrics(Stage):
    """Wait for the step and record its metrics."""

    name = "LogMetrics"
    reads = ("session", "batch", "submitted", "update")

    async def run(self, ctx: StageContext) -> None:
        """Metrics are named as tinker-cookbook names them; a step's are those of the weights
        before it, and `train_mean_nll` weighs tokens as the loss does.
        """
        batch: Batch = ctx.state["batch"]
        submitted: Submitted = ctx.state["submitted"]
        update: Update = ctx.state["update"]
        forward, optim = await ctx.wait(both(submitted.handle, update.handle))
        seconds = time.perf_counter() - submitted.at
        ctx.telemetry.metrics(
            ctx.step,
            {
                "train_mean_nll": mean_nll(forward.logprobs, submitted.datums),
                **progress_metrics(ctx, batch.epoch),
                **token_metrics(batch.datums, seconds),
                **optim_metrics(update, optim),
                **work_metrics(forward.metrics, ctx.state["session"].device_facts, seconds),
            },
        )


def progress_metrics(ctx: StageContext, epoch: int) -> dict[str, float]:
    """How far the run is."""
    return {"epoch": epoch, "progress": (ctx.step + 1) / (ctx.total_steps or 1)}


def token_metrics(datums: Sequence[Datum], seconds: float) -> dict[str, float]:
    """How much was trained on, and how fast."""
    tokens = sum(map(len, datums))
    return {
        "num_sequences": len(datums),
        "num_tokens": tokens,
        "num_loss_tokens": sum(datum.num_loss_tokens for datum in datums),
        "time/step_s": seconds,
        "time/tokens_per_s": tokens / seconds,
    }


def optim_metrics(update: Update, optim: OptimResult) -> dict[str, float]:
    """What the optimizer did."""
    metrics = {f"optim/{name}": value for name, value in optim.metrics.items()}
    return {"learning_rate": update.learning_rate, **metrics}


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


def work_metrics(
    metrics: Mapping[str, float], device: DeviceFacts, seconds: float
) -> dict[str, float]:
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
