"""The metrics that every kind of training has of a step, named as tinker-cookbook names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kitchen_core.stages.datums import Batch
from kitchen_core.stages.submitted import StepDone, Update
from kitchen_core.train.types import Datum, DeviceFacts, OptimResult
from kitchen_core.workflow.context import StageContext


def step_metrics(ctx: StageContext, batch: Batch, done: StepDone) -> dict[str, float]:
    """All of them; reads `session` and `update`."""
    return {
        **progress_metrics(ctx, batch.epoch),
        **token_metrics(batch.datums, done.seconds),
        **optim_metrics(ctx.state["update"], done.optim),
        **work_metrics(done.forward.metrics, ctx.state["session"].device_facts, done.seconds),
    }


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
