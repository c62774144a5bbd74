"""What a run leaves behind: checkpoints on the way, the final model, and its place in the
registry.
"""

from __future__ import annotations

from types import MappingProxyType

from kitchen_core.telemetry.schema import EventKind
from kitchen_core.workflow.checkpoint import save_checkpoint
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


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
    reads = ("session",)
    writes = MappingProxyType({"final": Keeping.DURABLE})

    async def run(self, ctx: StageContext) -> None:
        """Writes `final`: the tree's SHA-256."""
        folder = ctx.scratch_folder("final")
        await ctx.wait(ctx.state["session"].export(folder))
        ctx.state["final"] = ctx.log.store_tree(folder, "final", step=ctx.step).sha256
        await ctx.state["session"].close()


class Register(Stage):
    """Register the final model under the name that the config gives."""

    name = "Register"
    reads = ("final",)

    async def run(self, ctx: StageContext) -> None:
        """Adds a version to the registry."""
        name = ctx.config.register_as
        version = ctx.registry.register(name, ctx.state["final"])
        ctx.event(EventKind.MODEL_REGISTERED, name=name, version=version, sha256=ctx.state["final"])
