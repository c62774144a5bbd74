"""One step of preference training: the loss of a batch of pairs, and what there is to say about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from kitchen_core.stages.comparisons import SIDES
from kitchen_core.stages.datums import Batch
from kitchen_core.stages.reference import Logprobs, ReferenceScores
from kitchen_core.stages.step_metrics import step_metrics
from kitchen_core.stages.submitted import Submitted, step_done
from kitchen_core.train.pairs import answer_logprobs, mismatched
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.preference import Objective, PairLogprobs
from kitchen_core.train.types import Datum, LossSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

if TYPE_CHECKING:
    from torch import Tensor

    from kitchen_core.train.ports.training import CustomLoss


class ForwardBackwardCustom(Stage):
    """Submit the forward and backward pass of a loss over pairs."""

    name = "ForwardBackwardCustom"
    reads = ("session", "batch", "reference")
    writes = MappingProxyType({"submitted": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `submitted`: Submitted. kto first waits for a forward pass: how far the policy has
        moved weighs in its loss, without a gradient.
        """
        batch: Batch = ctx.state["batch"]
        reference: ReferenceScores = ctx.state["reference"]
        objective = objective_of(ctx)
        started = time.perf_counter()
        kl = await kl_baseline(ctx, batch.datums, ctx.step) if objective.name == "kto" else 0.0
        loss = pair_loss(objective, reference.of(batch.numbers), kl)
        handle = ctx.state["session"].forward_backward_custom(batch.datums, loss)
        ctx.state["submitted"] = Submitted(handle, batch.datums, started)


class LogPairMetrics(Stage):
    """Wait for the step and record its metrics."""

    name = "LogMetrics"
    reads = ("session", "batch", "submitted", "update")

    async def run(self, ctx: StageContext) -> None:
        """Metrics are named as tinker-cookbook names them; a step's are those of the weights before
        it. `train_mean_nll` is that of the chosen answers.
        """
        batch: Batch = ctx.state["batch"]
        done = await step_done(ctx)
        num_pairs = len(batch.numbers)
        names = {f"{ctx.config.loss}_loss", *PAIR_METRICS} & done.forward.metrics.keys()
        ctx.telemetry.metrics(
            ctx.step,
            {
                **{name: done.forward.metrics[name] for name in sorted(names)},
                "num_pairs": num_pairs,
                "time/pairs_per_s": num_pairs / done.seconds,
                **step_metrics(ctx, batch, done),
            },
        )


PAIR_METRICS = (
    "accuracy",
    "margin",
    "chosen_reward",
    "rejected_reward",
    "kl_baseline",
    "train_mean_nll",
)
"""What a loss over pairs says beside its value."""


def objective_of(ctx: StageContext) -> Objective:
    """The loss that the config asks for."""
    config = ctx.config
    return Objective(
        config.loss,
        config.dpo_beta,
        label_smoothing=config.label_smoothing,
        length_normalized=config.length_normalized,
        simpo_margin=config.simpo_margin,
        sft_coef=config.sft_coef,
    )


def pair_loss(objective: Objective, reference: Logprobs, kl: float) -> CustomLoss:
    """The objective as a loss over interleaved datums `[2 * pairs]`, given the reference's logprobs
    `[pairs, 2]`.
    """

    def loss(
        datums: Sequence[Datum], logprobs: Sequence[Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        scores = objective.scores(pair_logprobs(datums, logprobs, reference), kl)
        told = scores.metrics(objective.name) | {"train_mean_nll": scores.chosen_nll.item()}
        if objective.name == "kto":
            told["kl_baseline"] = kl
        return objective.total(scores), told

    return loss


def pair_logprobs(
    datums: Sequence[Datum], logprobs: Sequence[Tensor], reference: Logprobs
) -> PairLogprobs:
    """Interleaved datums and their logprobs as pairs, summed over what is trained, in float64."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    found = pad_sequence(list(logprobs), batch_first=True).double()  # [2 * pairs, seq]
    weights = pad_sequence([torch.from_numpy(datum.weights) for datum in datums], batch_first=True)
    weights = weights.to(found)
    sums, counts = (weights * found).sum(-1), weights.sum(-1)
    held_against = torch.from_numpy(reference).to(found)
    return PairLogprobs(
        chosen=sums[::SIDES],
        rejected=sums[1::SIDES],
        reference_chosen=held_against[:, 0],
        reference_rejected=held_against[:, 1],
        chosen_tokens=counts[::SIDES],
        rejected_tokens=counts[1::SIDES],
    )


async def kl_baseline(ctx: StageContext, datums: Sequence[Datum], index: int) -> float:
    """kto's estimate of KL(policy || reference), at least 0: the mean log-ratio of mismatched answers.
    index: whose reference it is: a batch's, or -1 for the held-out pairs.
    """
    session: TrainingSession = ctx.state["session"]
    reference: ReferenceScores = ctx.state["reference"]
    others = mismatched(datums, ctx.config.max_length)
    forward = await ctx.wait(session.forward(others, LossSpec("cross_entropy")))
    moved = answer_logprobs(forward.logprobs, others).mean() - reference.baselines[index]
    return max(0.0, float(moved))
