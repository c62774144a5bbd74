"""The optimizer steps of a batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TypeVar

from kitchen_core.stages.advantages import TrainingData
from kitchen_core.stages.submitted import Submitted, Update
from kitchen_core.stages.training import scheduled_adam
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.rl.normalization import normalized
from kitchen_core.train.rl.policy_loss import policy_loss
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

T = TypeVar("T")


@dataclass(frozen=True)
class Substep:
    """One gradient and one update under way."""

    submitted: Submitted
    update: Update


class Substeps(Stage):
    """Submit the batch's gradients and updates, one pair for each part of it."""

    name = "Substeps"
    reads = ("session", "training_data", "peak_lr")
    writes = MappingProxyType({"substeps": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `substeps`: list[Substep], all at the step's learning rate; none where there is nothing
        to train on. Nothing is waited for in between, so that a backend can go from one to the next.
        """
        data: TrainingData = ctx.state["training_data"]
        config = ctx.config
        session: TrainingSession = ctx.state["session"]
        loss = policy_loss(config.loss, config.clip_low, config.clip_high, config.dro_beta)
        adam = scheduled_adam(ctx)
        pairs = list(zip(data.assembled.datums, data.assembled.origins, strict=True))
        substeps: list[Substep] = []
        for part in split(pairs, config.num_substeps):
            datums, origins = zip(*part, strict=True)
            weighed = normalized(datums, origins, config.normalization, config.max_tokens)
            started = time.perf_counter()
            submitted = Submitted(session.forward_backward(weighed, loss), weighed, started)
            update = Update(session.optim_step(adam), adam.learning_rate)
            substeps.append(Substep(submitted, update))
        ctx.state["substeps"] = substeps


def split(items: Sequence[T], parts: int) -> list[list[T]]:
    """The items in so many parts, or as many as there are items, whose sizes differ by one at most;
    tinker-cookbook's `split_list`.
    """
    parts = min(parts, len(items))
    bounds = [len(items) * part // parts for part in range(parts + 1)] if parts else [0]
    return [list(items[start:end]) for start, end in pairwise(bounds)]
