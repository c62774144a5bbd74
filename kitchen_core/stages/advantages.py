"""From a batch's rollouts to what is trained on: advantages, then training sequences."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.stages.datums import warn
from kitchen_core.stages.kl_reference import Reference
from kitchen_core.train.rl.advantages import Float64Array, compute_advantages
from kitchen_core.train.rl.assembly import Assembled, assemble
from kitchen_core.train.rl.groups import Sorted, sort_groups
from kitchen_core.train.rl.penalty import kl_penalty, whole_sequence
from kitchen_core.train.rl.rollouts import Rollouts
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class Compared:
    """The groups of a batch told apart, and the advantages of those that are kept:
    `[groups][episodes][turns]`.
    """

    groups: Sorted
    advantages: list[list[Float64Array]]


@dataclass(frozen=True)
class TrainingData:
    """What a step trains on. kl_policy_base: the mean distance from the reference, where one is held
    against.
    """

    assembled: Assembled
    kl_policy_base: float | None


class ComputeAdvantages(Stage):
    """Hold every episode against the others of its group; leave out what there is nothing to learn from."""

    name = "ComputeAdvantages"
    reads = ("rollouts",)
    writes = MappingProxyType({"compared": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `compared`: Compared. Says so where nothing is left of the batch."""
        rollouts: Rollouts = ctx.state["rollouts"]
        config = ctx.config
        found = sort_groups(rollouts.groups, remove_constant=config.remove_constant_groups)
        advantages = [
            compute_advantages(
                group, config.advantage, discount=config.discount, gae_lambda=config.gae_lambda
            )
            for group in found.kept
        ]
        if not found.kept:
            warn(ctx, _nothing_left(rollouts))
        ctx.state["compared"] = Compared(found, advantages)


class AssembleBatch(Stage):
    """Lay the episodes out as training sequences, and take what they strayed off their advantages."""

    name = "AssembleBatch"
    reads = ("compared", "reference")
    writes = MappingProxyType({"training_data": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `training_data`: TrainingData, every answer's token weighing 1."""
        compared: Compared = ctx.state["compared"]
        reference: Reference = ctx.state["reference"]
        assembled = assemble(compared.groups.kept, compared.advantages)
        strayed: float | None = None
        if reference.sampler is not None and assembled.datums:
            sequences = [whole_sequence(datum).tolist() for datum in assembled.datums]
            scored = await ctx.wait(reference.sampler.compute_logprobs(sequences))
            config = ctx.config
            datums, strayed = kl_penalty(
                assembled.datums, scored, config.kl_penalty_coef, config.kl_discount_factor
            )
            assembled = Assembled(datums, assembled.origins)
        ctx.state["training_data"] = TrainingData(assembled, strayed)


def _nothing_left(rollouts: Rollouts) -> str:
    errors = [each.error for group in rollouts.groups for each in group.trajectories if each.error]
    why = f"; the first error: {errors[0]}" if errors else ""
    return (
        f"batch {rollouts.index}: none of {len(rollouts.groups)} problems has two whole episodes to "
        f"compare, so no step is taken{why}"
    )
