"""The rollouts of a batch: whose weights answer, where rollouts wait, and which problems are played."""

from __future__ import annotations

import time
from types import MappingProxyType

from kitchen_core.stages.problems import ProblemBatch, ProblemBatches
from kitchen_core.stages.roller import Roller
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.rl.groups import can_be_compared, is_constant
from kitchen_core.train.rl.rollouts import Rollouts
from kitchen_core.train.trajectories import TrajectoryGroup
from kitchen_core.workflow.buffer import Buffer
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


class TakePolicy(Stage):
    """Take hold of the weights that answer."""

    name = "TakePolicy"
    reads = ("session",)
    writes = MappingProxyType({"policy": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `policy`: SamplingClient. The weights in training where nothing trains meanwhile, else
        a copy of them, which whoever placed this stage closes.
        """
        session: TrainingSession = ctx.state["session"]
        kind = "snapshot" if ctx.config.max_steps_off_policy else "live"
        ctx.state["policy"] = session.sampler(kind)


class MakeBuffer(Stage):
    """Make the place where rollouts wait that are sampled ahead of their step."""

    name = "MakeBuffer"
    writes = MappingProxyType({"waiting": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `waiting`: Buffer."""
        ctx.state["waiting"] = Buffer(Rollouts.to_plain, Rollouts.from_plain)


class Rollout(Stage):
    """Let the policy answer every problem of the batch, several times each."""

    name = "Rollout"
    reads = ("renderer", "batches", "batch", "policy")
    writes = MappingProxyType({"rollouts": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `rollouts`: Rollouts. Random choices come from the seed and the batch's index alone."""
        batch: ProblemBatch = ctx.state["batch"]
        started = time.perf_counter()
        groups = await self._groups(ctx, Roller(ctx, ctx.state["policy"]), batch)
        seconds = time.perf_counter() - started
        ctx.state["rollouts"] = Rollouts(batch.index, batch.epoch, tuple(groups), seconds)

    async def _groups(
        self, ctx: StageContext, roller: Roller, batch: ProblemBatch
    ) -> list[TrajectoryGroup]:
        """The groups of the batch, and of further problems in place of those that teach nothing (DAPO's
        dynamic sampling), for as many rounds as the config allows.
        """
        batches: ProblemBatches = ctx.state["batches"]
        size = ctx.config.group_size
        groups = await roller.roll_out(batch.groups, size, ("rollout", batch.index))
        tried = 0
        for number in range(ctx.config.resample_rounds):
            missing = len(batch.groups) - sum(map(_teaches, groups))
            further = batches.further(batch.index, tried, missing)
            if not further:
                break
            tried += len(further)
            names = ("rollout", batch.index, "further", number)
            groups += await roller.roll_out(further, size, names)
        return groups


def _teaches(group: TrajectoryGroup) -> bool:
    return can_be_compared(group) and not is_constant(group)
