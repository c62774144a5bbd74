"""What a run leaves behind: checkpoints on the way, the final model, and its place in the
registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

import numpy as np

from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.best import Best
from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from kitchen_core.train.types import (
    Datum,
    FloatArray,
    ForwardResult,
    LossSpec,
    ModelSource,
    SessionSpec,
)
from kitchen_core.workflow.checkpoint import save_checkpoint
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

FINAL = "final"

SCORED = 8
"""Examples that the stored model is tried on."""

TOLERANCE = 0.01
"""Nats a token between two readings of one model: a CPU gives 0, bfloat16 kernels some thousandths."""


class Probing(Protocol):
    """The batches of a run, which know sequences to try a model on."""

    def probe(self, count: int) -> list[Datum]:
        """So many sequences, or fewer where there are no more."""
        ...


class ExportDiffers(ValueError):  # noqa: N818 - named by what was found
    """The stored model does not say what the trained one says."""


class Checkpoint(Stage):
    """Save everything that the run needs to go on."""

    name = "Checkpoint"
    reads = ("session",)

    async def run(self, ctx: StageContext) -> None:
        """Stored as the tree `checkpoints/STEP`."""
        await save_checkpoint(ctx.run)


class SaveFinal(Stage):
    """Export the trained model as the tree `final`."""

    name = "SaveFinal"
    reads = ("session", "best")
    writes = MappingProxyType({"final": Keeping.DURABLE})

    async def run(self, ctx: StageContext) -> None:
        """Writes `final`: the tree's SHA-256. Its step is the run's, or the best one's where that was put
        back.
        """
        session: TrainingSession = ctx.state["session"]
        folder = ctx.scratch_folder("final")
        await ctx.wait(session.export(folder))
        best = Best(**ctx.state["best"])
        put_back = best.step if ctx.config.keep_best else None
        step = ctx.step if put_back is None else put_back
        ctx.state["final"] = ctx.log.store_tree(folder, FINAL, step=step).sha256


class CheckFinal(Stage):
    """Read the stored model back and score examples: it must be the model that was trained."""

    name = "CheckFinal"
    reads = ("session", "batches", "final")
    ports = ("training_client",)

    async def run(self, ctx: StageContext) -> None:
        """Closes the session. Raises ExportDiffers."""
        session: TrainingSession = ctx.state["session"]
        batches: Probing = ctx.state["batches"]
        datums = batches.probe(SCORED)
        trained = await ctx.wait(session.forward(datums, LossSpec()))
        await session.close()  # there may be no memory for two models
        stored = await self._scored(ctx, session.spec, datums)
        gap = mean_gap(trained.logprobs, stored.logprobs)
        if not gap <= TOLERANCE:
            raise ExportDiffers(
                f"the stored model is not the trained one: read back, it gives logprobs that differ by "
                f"{gap:.3g} nats a token (at most {TOLERANCE} is rounding); "
                "the last checkpoint has the trained weights"
            )
        message = f"read back, the stored model gives the trained one's logprobs to {gap:.1g} nats"
        ctx.event(EventKind.LOG, level="info", message=message)

    async def _scored(
        self, ctx: StageContext, spec: SessionSpec, datums: list[Datum]
    ) -> ForwardResult:
        client: TrainingClient = ctx.port("training_client")
        (stored,) = ctx.log.stored(FINAL)
        whole = ModelSource(spec.model.name, stored.path)
        source = whole if spec.lora is None else replace(spec.model, adapter=stored.path)
        session = await ctx.wait(client.start_session(replace(spec, model=source)))
        try:
            return await ctx.wait(session.forward(datums, LossSpec()))
        finally:
            await session.close()


def mean_gap(one: Sequence[FloatArray], other: Sequence[FloatArray]) -> float:
    """The mean distance of two scorings of the same tokens, in nats."""
    return float(np.abs(np.concatenate(one) - np.concatenate(other)).mean())


class Register(Stage):
    """Register the final model under the name that the config gives."""

    name = "Register"
    reads = ("final",)

    async def run(self, ctx: StageContext) -> None:
        """Adds a version to the registry."""
        name = ctx.config.register_as
        version = ctx.registry.register(name, ctx.state["final"])
        ctx.event(EventKind.MODEL_REGISTERED, name=name, version=version, sha256=ctx.state["final"])
