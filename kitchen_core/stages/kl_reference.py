"""The model that a policy is held against."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.train.hashing import sha256_of_json
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
    reads = ("session",)
    writes = MappingProxyType({"reference": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `reference`: Reference. The session's own start, or the model that `kl_reference`
        names.
        """
        session: TrainingSession = ctx.state["session"]
        config = ctx.config
        if not config.kl_penalty_coef:
            ctx.state["reference"] = Reference(None, "none")
        elif config.kl_reference is None:
            ctx.state["reference"] = Reference(session.reference(), session.fingerprint)
        else:
            resolved = await ctx.wait(ctx.resolver.model(config.kl_reference, "kl reference"))
            teacher = await ctx.wait(session.teacher(resolved.source))
            weights = [node.sha256 for node in (resolved.node, resolved.base) if node]
            ctx.state["reference"] = Reference(teacher, sha256_of_json(weights))
