"""One optimizer step: gradient, update, and what there is to say about it.

The first two only submit work and hand on its handles, so that a backend can pipeline them;
LogMetrics waits.
"""

from __future__ import annotations

import time
from types import MappingProxyType

from kitchen_core.stages.datums import Batch
from kitchen_core.stages.step_metrics import step_metrics
from kitchen_core.stages.submitted import Submitted, Update, step_done
from kitchen_core.train.datums import mean_nll, reduce_weights
from kitchen_core.train.schedules import lr_multiplier
from kitchen_core.train.types import AdamParams, LossSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


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
                **step_metrics(ctx, batch, done),
            },
        )
