"""Measuring the model on held-out examples: the loss, how often an answer is exactly right, and
whether sampler and trainer agree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kitchen_core.stages.held_out import HeldOut
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train import rng
from kitchen_core.train.datums import datum_of_completion, mean_nll
from kitchen_core.train.kl import kl_sample_train
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Parsed, Renderer
from kitchen_core.train.types import LossSpec, Message, Sample, SamplingParams
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

COMPARED = 64
"""Sampled answers that the trainer scores too, to see whether it agrees with the sampler."""


@dataclass(frozen=True)
class Answer:
    """One held-out question as the model answered it.

    prompt: all that it read, question: the user's turns of it. completion, expected: as text, for
    people. correct: whether the turn read back from the completion is the expected one, or what an
    environment says. sample: the completion as it was sampled. rewards: what it earned, by part.
    """

    prompt: str
    question: str
    completion: str
    expected: str
    correct: bool
    sample: Sample
    rewards: Mapping[str, float] = field(default_factory=dict)


class Evaluate(Stage):
    """Held-out loss, exact match of sampled and of greedy answers, and the KL of sampler and trainer."""

    name = "Evaluate"
    reads = ("session", "renderer", "held_out")
    writes = MappingProxyType({"answers": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `answers`: list[Answer], sampled at the config's temperature."""
        held_out: HeldOut = ctx.state["held_out"]
        measured = await self._losses(ctx)
        prompts = held_out.prompts[: ctx.config.eval_samples]
        answers: list[Answer] = []
        if prompts:
            sampled = await self._samples(ctx, prompts, ctx.config.temperature)
            greedy = await self._samples(ctx, prompts, 0.0)
            answers = self._answers(ctx, held_out, sampled)
            share, error = exact_match(answers)
            measured |= {
                "test/exact_match": share,
                "test/exact_match_stderr": error,
                "test/greedy_exact_match": exact_match(self._answers(ctx, held_out, greedy))[0],
                **await self._kl(ctx, prompts, sampled),
            }
        ctx.telemetry.metrics(ctx.step, measured)
        ctx.event(EventKind.EVAL_COMPLETED, {**measured, "n": len(answers)})
        ctx.state["answers"] = answers

    async def _losses(self, ctx: StageContext) -> dict[str, float]:
        """What there is to say of the held-out examples themselves."""
        session: TrainingSession = ctx.state["session"]
        datums = ctx.state["held_out"].datums
        if not datums:
            return {}
        forward = await ctx.wait(session.forward(datums, LossSpec("cross_entropy")))
        return {"test/nll": mean_nll(forward.logprobs, datums)}

    async def _samples(
        self, ctx: StageContext, prompts: Sequence[Sequence[int]], temperature: float
    ) -> list[Sample]:
        session: TrainingSession = ctx.state["session"]
        renderer: Renderer = ctx.state["renderer"]
        params = SamplingParams(
            max_tokens=ctx.config.max_tokens,
            temperature=temperature,
            seed=rng.seed_for(ctx.config.seed, "evaluate", ctx.step),
            stop=renderer.stop.tokens,
            stop_texts=renderer.stop.texts,
        )
        groups = await ctx.wait(session.sampler("live").sample(prompts, params))
        return [sample for (sample,) in groups]

    def _answers(
        self, ctx: StageContext, held_out: HeldOut, samples: Sequence[Sample]
    ) -> list[Answer]:
        renderer: Renderer = ctx.state["renderer"]
        return [
            Answer(
                prompt=renderer.text(held_out.prompts[i]),
                question=held_out.questions[i],
                completion=renderer.text(sample.tokens),
                expected=as_text(held_out.answers[i]),
                correct=is_right(renderer.parse(sample.tokens), held_out.answers[i]),
                sample=sample,
            )
            for i, sample in enumerate(samples)
        ]

    async def _kl(
        self, ctx: StageContext, prompts: Sequence[Sequence[int]], samples: Sequence[Sample]
    ) -> dict[str, float]:
        """How far the trainer's logprobs of sampled tokens are from the sampler's."""
        session: TrainingSession = ctx.state["session"]
        pairs = list(zip(prompts, samples, strict=True))[:COMPARED]
        datums = [datum_of_completion(prompt, sample.tokens) for prompt, sample in pairs]
        scored = await ctx.wait(session.forward(datums, LossSpec("cross_entropy")))
        trainer = [
            lp[datum.weights != 0] for lp, datum in zip(scored.logprobs, datums, strict=True)
        ]
        kl = kl_sample_train([sample.logprobs for _, sample in pairs], trainer)
        return {"test/kl_sample_train_v1": kl.v1, "test/kl_sample_train_v2": kl.v2}


def is_right(parsed: Parsed, expected: Message) -> bool:
    """Whether a completion is a whole turn that says what was expected and calls the same tools.
    What it thought before does not count.
    """
    said = parsed.message
    same_text = said.content.strip() == expected.content.strip()
    return parsed.complete and same_text and _calls(said) == _calls(expected)


def _calls(message: Message) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in message.tool_calls]


def as_text(message: Message) -> str:
    """A turn for people: what it says, and the tools that it calls."""
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    return "\n".join(part for part in (message.content, *calls) if part)


def exact_match(answers: list[Answer]) -> tuple[float, float]:
    """The share of right answers, and its standard error sqrt(p (1 - p) / n)."""
    share = sum(answer.correct for answer in answers) / len(answers)
    return share, stderr_of_share(share, len(answers))


def stderr_of_share(share: float, count: int) -> float:
    """The standard error of a share among so many: sqrt(p (1 - p) / n)."""
    return math.sqrt(share * (1 - share) / count)
