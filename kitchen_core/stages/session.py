"""Starting the model: a training session, its tokenizer, and the renderer that spells conversations
for it.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from kitchen_core.config import ConfigError, RunConfig
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train import rng
from kitchen_core.train.learning_rate import suggested_learning_rate, why_no_suggestion
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.training import TrainingClient
from kitchen_core.train.renderers import get_renderer
from kitchen_core.train.types import LoraSpec, SessionSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


class InitSession(Stage):
    """Resolve the model and start a training session on it."""

    name = "InitSession"
    writes = MappingProxyType({"session": Keeping.REBUILT, "peak_lr": Keeping.DURABLE})
    ports = ("training_client",)

    async def run(self, ctx: StageContext) -> None:
        """Writes `session`: TrainingSession, and `peak_lr`: the config's learning rate, or the
        suggested one.
        """
        config = ctx.config
        client: TrainingClient = ctx.port("training_client")
        resolved = await ctx.wait(ctx.resolver.model(config.model, weights=client.reads_weights))
        spec = SessionSpec(
            model=resolved.source,
            lora=_lora(config),
            seed=rng.seed_for(config.seed, "session"),
            device=config.device,
            threads=config.threads,
            micro_batch_tokens=config.micro_batch_tokens,
            packing=config.packing,
            gradient_checkpointing=config.gradient_checkpointing,
            deterministic=config.deterministic,
            sampling_batch_size=config.sampling_batch_size,
        )
        if ctx.state.get("peak_lr") is None:  # a resumed run has it from its checkpoint
            ctx.state["peak_lr"] = _peak_lr(ctx, resolved.source.folder)
        ctx.state["session"] = await ctx.wait(client.start_session(spec))

    async def rollback(self, ctx: StageContext, error: BaseException) -> None:
        """Free the model."""
        session = ctx.state.get("session")
        if session is not None:
            await session.close()


def _lora(config: RunConfig) -> LoraSpec | None:
    if not config.lora_rank:
        return None
    return LoraSpec(config.lora_rank, config.lora_alpha, config.lora_targets or "all-linear")


def _peak_lr(ctx: StageContext, base: Path) -> float:
    """The config's learning rate. One that was left out is frozen at submission where the model was
    there to look at; where it had to be fetched first, it is suggested now.
    """
    config: RunConfig = ctx.config
    if config.learning_rate is not None:
        return config.learning_rate
    facts = inspect_model_folder(base, weights=False)
    suggested = suggested_learning_rate(facts, lora=bool(config.lora_rank))
    if suggested is None:
        raise ConfigError(why_no_suggestion(facts))
    message = f"learning_rate={suggested:.3g}, suggested for a {facts.model_type} model"
    ctx.event(EventKind.LOG, level="info", message=message)
    return suggested


class InitTokenizer(Stage):
    """Take the session's tokenizer and the renderer that the config names."""

    name = "InitTokenizer"
    reads = ("session",)
    writes = MappingProxyType({"renderer": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `renderer`: Renderer."""
        ctx.state["renderer"] = get_renderer(ctx.config.renderer, ctx.state["session"].tokenizer)
