"""Measuring a policy on held-out pairs, and the pairs that a person can read."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from kitchen_core.stages.comparisons import SIDES, HeldOutPairs
from kitchen_core.stages.evaluation import Evaluate, stderr_of_share
from kitchen_core.stages.preference import kl_baseline, objective_of, pair_logprobs
from kitchen_core.stages.reference import ReferenceScores
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.pairs import parted
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.spans import token_texts
from kitchen_core.train.types import Datum, FloatArray, LossSpec
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ScoredPair:
    """A held-out pair under the policy: each side's target logprobs `[seq]`, and its reward."""

    chosen: Datum
    rejected: Datum
    chosen_logprobs: FloatArray
    rejected_logprobs: FloatArray
    chosen_reward: float
    rejected_reward: float
    where: str


class EvaluatePairs(Evaluate):
    """Held-out pairs: loss, accuracy, margin and rewards; and answers to their prompts, held against
    the chosen ones.
    """

    reads = (*Evaluate.reads, "held_out_pairs", "reference")
    writes = MappingProxyType({**Evaluate.writes, "scored_pairs": Keeping.REBUILT})

    async def _losses(self, ctx: StageContext) -> dict[str, float]:
        """Writes `scored_pairs`: list[ScoredPair]. `test/nll` is that of the chosen answers."""
        ctx.state["scored_pairs"] = []
        pairs: HeldOutPairs = ctx.state["held_out_pairs"]
        if not pairs.datums:
            return {}
        session: TrainingSession = ctx.state["session"]
        reference: ReferenceScores = ctx.state["reference"]
        objective = objective_of(ctx)
        forward = await ctx.wait(session.forward(pairs.datums, LossSpec("cross_entropy")))
        kl = await kl_baseline(ctx, pairs.datums, -1) if objective.name == "kto" else 0.0
        logprobs = _as_tensors(forward.logprobs)
        scores = objective.scores(pair_logprobs(pairs.datums, logprobs, reference.held_out), kl)
        rewards = zip(scores.chosen_rewards.tolist(), scores.rejected_rewards.tolist(), strict=True)
        ctx.state["scored_pairs"] = [
            ScoredPair(
                *pairs.datums[SIDES * i : SIDES * (i + 1)],
                *forward.logprobs[SIDES * i : SIDES * (i + 1)],
                chosen_reward=chosen,
                rejected_reward=rejected,
                where=pairs.where[i],
            )
            for i, (chosen, rejected) in enumerate(rewards)
        ]
        told = scores.metrics(objective.name)
        told["accuracy_stderr"] = stderr_of_share(told["accuracy"], len(pairs.where))
        told["nll"] = scores.chosen_nll.item()
        return {f"test/{name}": value for name, value in told.items()}


class LogPairs(Stage):
    """Record a few of the held-out pairs, with the logprob of every token of both answers."""

    name = "LogPairs"
    reads = ("session", "renderer", "scored_pairs")

    async def run(self, ctx: StageContext) -> None:
        """A `sample.logged` event for each of `log_samples` pairs, the same ones every time."""
        renderer: Renderer = ctx.state["renderer"]
        scored: list[ScoredPair] = ctx.state["scored_pairs"]
        for index, pair in enumerate(scored[: ctx.config.log_samples]):
            prompt, chosen = parted(pair.chosen)
            _, rejected = parted(pair.rejected)
            rewards = {
                "chosen_reward": pair.chosen_reward,
                "rejected_reward": pair.rejected_reward,
                "margin": pair.chosen_reward - pair.rejected_reward,
            }
            ctx.event(
                EventKind.SAMPLE_LOGGED,
                rewards,
                kind="pair",
                index=index,
                where=pair.where,
                prompt=renderer.text(prompt),
                chosen=renderer.text(chosen),
                rejected=renderer.text(rejected),
                chosen_tokens=_tokens_told(ctx, chosen, pair.chosen_logprobs),
                rejected_tokens=_tokens_told(ctx, rejected, pair.rejected_logprobs),
            )


def _tokens_told(
    ctx: StageContext, answer: list[int], logprobs: FloatArray
) -> list[tuple[str, float]]:
    """Each token of an answer, which ends its sequence, as text with its logprob."""
    session: TrainingSession = ctx.state["session"]
    texts = token_texts(answer, session.tokenizer.decode)
    return list(zip(texts, logprobs[-len(answer) :].tolist(), strict=True))


def _as_tensors(arrays: list[FloatArray]) -> list[Tensor]:
    import torch

    return [torch.from_numpy(array) for array in arrays]
