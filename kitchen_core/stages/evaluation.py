"""Measuring the model on held-out examples: the loss, and how often a sampled answer is exactly
right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.stages.datums import HeldOut
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train import rng
from kitchen_core.train.datums import mean_nll
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.types import LossSpec, SamplingParams
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class Answer:
    """One held-out question as the model answered it.

    prompt: all that it read, question: the last turn of it.
    """

    prompt: str
    question: str
    completion: str
    expected: str
    logprob: float

    @property
    def correct(self) -> bool:
        """Whether the whole answer is the expected one."""
        return self.completion.strip() == self.expected.strip()


class Evaluate(Stage):
    """Held-out loss, and exact match of sampled and of greedy answers."""

    name = "Evaluate"
    reads = ("session", "renderer", "held_out")
    writes = MappingProxyType({"answers": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `answers`: list[Answer], sampled at the config's temperature."""
        held_out: HeldOut = ctx.state["held_out"]
        measured: dict[str, float] = {}
        if held_out.datums:
            measured["test/nll"] = await self._nll(ctx, held_out)
        sampled = await self._answers(ctx, held_out, ctx.config.temperature)
        if sampled:
            share, error = exact_match(sampled)
            greedy = await self._answers(ctx, held_out, 0.0)
            measured |= {
                "test/exact_match": share,
                "test/exact_match_stderr": error,
                "test/greedy_exact_match": exact_match(greedy)[0],
            }
        ctx.telemetry.metrics(ctx.step, measured)
        ctx.event(EventKind.EVAL_COMPLETED, {**measured, "n": len(sampled)})
        ctx.state["answers"] = sampled

    async def _nll(self, ctx: StageContext, held_out: HeldOut) -> float:
        session: TrainingSession = ctx.state["session"]
        forward = await ctx.wait(session.forward(held_out.datums, LossSpec("cross_entropy")))
        return mean_nll(forward.logprobs, held_out.datums)

    async def _answers(
        self, ctx: StageContext, held_out: HeldOut, temperature: float
    ) -> list[Answer]:
        """The first `eval_samples` questions, answered."""
        prompts = held_out.prompts[: ctx.config.eval_samples]
        if not prompts:
            return []
        session: TrainingSession = ctx.state["session"]
        renderer: Renderer = ctx.state["renderer"]
        params = SamplingParams(
            max_tokens=ctx.config.max_tokens,
            temperature=temperature,
            seed=rng.seed_for(ctx.config.seed, "evaluate", ctx.step),
            stop=renderer.stop.tokens,
            stop_texts=renderer.stop.texts,
        )
        sampler = session.sampler("live")
        groups = await ctx.wait(sampler.sample(prompts, params))
        return [
            Answer(
                prompt=renderer.text(prompts[i]),
                question=held_out.questions[i],
                completion=renderer.text(sample.tokens),
                expected=held_out.answers[i],
                logprob=float(sample.logprobs.sum()),
            )
            for i, (sample,) in enumerate(groups)
        ]


def exact_match(answers: list[Answer]) -> tuple[float, float]:
    """The share of right answers, and its standard error sqrt(p (1 - p) / n)."""
    share = sum(answer.correct for answer in answers) / len(answers)
    return share, math.sqrt(share * (1 - share) / len(answers))
