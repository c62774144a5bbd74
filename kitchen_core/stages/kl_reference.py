"""The model that a policy is held against."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.stages.other_models import COMPARED, find_model, load_beside, texts_of
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class Reference:
    """What scores as the reference; None where nothing is held against one."""

    sampler: SamplingClient | None
    fingerprint: str


class LoadReference(Stage):
    """Make the model ready that the policy is held against, if it is held against one."""

    name = "LoadReference"
    reads = ("session", "batches")
    writes = MappingProxyType({"reference": Keeping.REBUILT})
    ports = ("training_client",)

    async def run(self, ctx: StageContext) -> None:
        """Writes `reference`: Reference. The session's own start, or the model that `kl_reference`
        names. Raises TokenizationDiffers where that reads other tokens.
        """
        session: TrainingSession = ctx.state["session"]
        config = ctx.config
        if not config.kl_penalty_coef:
            ctx.state["reference"] = Reference(None, "none")
        elif config.kl_reference is None:
            ctx.state["reference"] = Reference(session.reference(), session.fingerprint)
        else:
            model = await find_model(ctx, config.kl_reference, "kl_reference")
            texts = texts_of(ctx.state["batches"].probe(COMPARED), session.tokenizer)
            teacher = await load_beside(ctx, model, texts)
            ctx.state["reference"] = Reference(teacher, model.fingerprint)
