"""Starting the model: a training session, its tokenizer, and the renderer that spells conversations
for it.
"""

from __future__ import annotations

from types import MappingProxyType

from kitchen_core.train import rng
from kitchen_core.train.ports.training import TrainingClient
from kitchen_core.train.renderers import check_renderer_name, get_renderer
from kitchen_core.train.types import LoraSpec, SessionSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


class InitSession(Stage):
    """Resolve the model and start a training session on it."""

    name = "InitSession"
    writes = MappingProxyType({"session": Keeping.REBUILT})
    ports = ("training_client",)

    async def run(self, ctx: StageContext) -> None:
        """Writes `session`: TrainingSession."""
        config = ctx.config
        resolved = await ctx.wait(ctx.resolver.model(config.model))
        client: TrainingClient = ctx.port("training_client")
        spec = SessionSpec(
            model=resolved.source,
            lora=LoraSpec(config.lora_rank) if config.lora_rank else None,
            seed=rng.seed_for(config.seed, "session"),
            device=config.device,
            threads=config.threads,
            micro_batch_tokens=config.micro_batch_tokens,
            packing=config.packing,
            gradient_checkpointing=config.gradient_checkpointing,
            sampling_batch_size=config.sampling_batch_size,
        )
        ctx.state["session"] = await ctx.wait(client.start_session(spec))

    async def rollback(self, ctx: StageContext, error: BaseException) -> None:
        """Free the model."""
        session = ctx.state.get("session")
        if session is not None:
            await session.close()


class InitTokenizer(Stage):
    """Take the session's tokenizer and the renderer that the config names."""

    name = "InitTokenizer"
    reads = ("session",)
    writes = MappingProxyType({"renderer": Keeping.REBUILT})

    def validate(self, ctx: StageContext) -> None:
        """Raise RenderError for a renderer that is not known."""
        check_renderer_name(ctx.config.renderer)

    async def run(self, ctx: StageContext) -> None:
        """Writes `renderer`: Renderer."""
        ctx.state["renderer"] = get_renderer(ctx.config.renderer, ctx.state["session"].tokenizer)
