"""From answers to a gradient: the exact distance from the teachers, its estimate at the sampled tokens,
or cross entropy on what a teacher said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from kitchen_core.stages.distillation.answering import Answered
from kitchen_core.stages.submitted import Submitted
from kitchen_core.stages.teachers import Teachers
from kitchen_core.train.distillation import advantages_from_teacher, soft_targets, token_mean
from kitchen_core.train.distillation.lesson import Lesson
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.types import (
    Datum,
    FloatArray,
    ForwardResult,
    LossSpec,
    TopLogprobs,
)
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class DistillBatch:
    """What a step learns from. datums: with the weights of the loss, one for each lesson. taught: the
    teachers' logprobs of each answer `[answer]`, where they were asked for.
    """

    lessons: list[Lesson]
    datums: list[Datum]
    taught: list[FloatArray] | None = None


class BuildDistillDatums(Stage):
    """Ask the teachers what the loss wants to know of the answers, and weigh every token."""

    name = "BuildDistillDatums"
    reads = ("session", "teachers", "answered")
    writes = MappingProxyType({"distill_batch": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `distill_batch`: DistillBatch, empty where every answer is left out."""
        answered: Answered = ctx.state["answered"]
        lessons = answered.learnt_from
        datums = [lesson.datum for lesson in lessons if lesson.datum is not None]
        ctx.state["distill_batch"] = await self._built(ctx, lessons, datums)

    async def _built(
        self, ctx: StageContext, lessons: list[Lesson], datums: list[Datum]
    ) -> DistillBatch:
        config = ctx.config
        teachers: Teachers = ctx.state["teachers"]
        if not lessons:
            return DistillBatch([], [])
        if config.mode == "off_policy":
            datums = token_mean(datums)
            if config.top_k_targets:
                datums = await self._soft(ctx, lessons, datums, teachers)
            return DistillBatch(lessons, datums)
        if _is_exact(ctx):
            return DistillBatch(lessons, token_mean(datums, config.kl_penalty_coef))
        taught = await teacher_logprobs(ctx, teachers, lessons)
        sampled = [
            advantages_from_teacher(
                datum, logprobs, scored, config.kl_penalty_coef, config.kl_discount_factor
            )
            for datum, logprobs, scored in zip(
                token_mean(datums), sampled_logprobs(lessons), taught, strict=True
            )
        ]
        return DistillBatch(lessons, sampled, taught)

    async def _soft(
        self,
        ctx: StageContext,
        lessons: Sequence[Lesson],
        datums: Sequence[Datum],
        teachers: Teachers,
    ) -> list[Datum]:
        """The datums with the likeliest tokens of whoever gave each answer as targets."""
        soft = list(datums)
        for number, teacher in enumerate(teachers):
            given = [i for i, lesson in enumerate(lessons) if lesson.teacher == number]
            if not given:
                continue
            whole = [_as_the_teacher_reads(lessons[i]) for i in given]
            tops = await ctx.wait(teacher.client.top_logprobs(whole, ctx.config.top_k_targets))
            for i, top in zip(given, tops, strict=True):
                soft[i] = soft_targets(datums[i], _last(top, len(lessons[i].answer)))
        return soft


class ForwardBackwardDistill(Stage):
    """Submit the batch's forward and backward passes."""

    name = "ForwardBackwardDistill"
    reads = ("session", "teachers", "distill_batch")
    writes = MappingProxyType({"submitted": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `submitted`: Submitted, or None where there is nothing to learn from."""
        batch: DistillBatch = ctx.state["distill_batch"]
        session: TrainingSession = ctx.state["session"]
        started = time.perf_counter()
        if not batch.datums:
            ctx.state["submitted"] = None
            return
        if ctx.config.mode == "off_policy":
            handle = session.forward_backward(batch.datums, LossSpec("cross_entropy"))
        elif batch.taught is not None:
            handle = session.forward_backward(batch.datums, LossSpec("importance_sampling"))
        else:
            handle = self._exact(session, ctx.state["teachers"], batch)
        ctx.state["submitted"] = Submitted(asyncio.ensure_future(handle), batch.datums, started)

    def _exact(
        self, session: TrainingSession, teachers: Teachers, batch: DistillBatch
    ) -> Awaitable[ForwardResult]:
        """The distance from each teacher, weighed by its share, of each set on its own so that there
        is a number for each.
        """
        parts: list[_Part] = []
        for dataset in sorted({lesson.prompt.dataset for lesson in batch.lessons}):
            places = [i for i, x in enumerate(batch.lessons) if x.prompt.dataset == dataset]
            prompts = [batch.lessons[i].prompt.teacher_tokens for i in places]
            for teacher in teachers:
                datums = [_weighed(batch.datums[i], teacher.share) for i in places]
                handle = session.forward_backward_divergence(
                    datums, teacher.client, prompts, "reverse_kl"
                )
                parts.append(_Part(dataset, places, handle))
        return _together(parts, batch)


@dataclass(frozen=True)
class _Part:
    """A pass over some of the lessons. places: which."""

    dataset: int
    places: list[int]
    handle: Awaitable[ForwardResult]


async def _together(parts: Sequence[_Part], batch: DistillBatch) -> ForwardResult:
    """All passes as one: the student's logprobs in the order of the lessons, and the distances."""
    results = await _all([part.handle for part in parts])
    logprobs: dict[int, FloatArray] = {}
    losses: dict[int, float] = {}
    work: dict[str, float] = {}
    for part, result in zip(parts, results, strict=True):
        logprobs |= dict(zip(part.places, result.logprobs, strict=True))
        losses[part.dataset] = losses.get(part.dataset, 0.0) + result.metrics["loss"]
        for name, fold in (("flops", sum), ("peak_memory_bytes", max)):
            if name in result.metrics:
                work[name] = fold([work.get(name, 0.0), result.metrics[name]])
    weights = {
        dataset: sum(
            float(datum.weights.sum(dtype=np.float64))
            for datum, lesson in zip(batch.datums, batch.lessons, strict=True)
            if lesson.prompt.dataset == dataset
        )
        for dataset in losses
    }
    distances = {
        "teacher_kl": sum(losses.values()) / sum(weights.values()),
        **{f"teacher_kl/dataset_{k}": losses[k] / weights[k] for k in losses},
    }
    in_order = [logprobs[i] for i in range(len(batch.lessons))]
    return ForwardResult(in_order, {"loss": sum(losses.values()), **distances, **work})


async def _all(handles: Sequence[Awaitable[ForwardResult]]) -> list[ForwardResult]:
    """Every result. Where one failed its error is told once none is under way any more."""
    done = await asyncio.gather(*handles, return_exceptions=True)
    results: list[ForwardResult] = []
    for result in done:
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results


def _is_exact(ctx: StageContext) -> bool:
    """Whether the distance is taken over the whole vocabulary."""
    if ctx.config.kl == "auto":
        return ctx.state["session"].has_divergence
    return ctx.config.kl == "exact"


async def teacher_logprobs(
    ctx: StageContext, teachers: Teachers, lessons: Sequence[Lesson]
) -> list[FloatArray]:
    """The teachers' logprobs of each answer `[answer]`, their mean by the teachers' shares."""
    whole = [_as_the_teacher_reads(lesson) for lesson in lessons]
    mean = [np.zeros(len(lesson.answer), np.float32) for lesson in lessons]
    for teacher in teachers:
        scored = await ctx.wait(teacher.client.compute_logprobs(whole))
        for total, logprobs in zip(mean, scored, strict=True):
            total += np.float32(teacher.share) * logprobs[len(logprobs) - len(total) :]
    return mean


def sampled_logprobs(lessons: Sequence[Lesson]) -> list[FloatArray]:
    """The logprobs of each answer under who sampled it `[answer]`."""
    return [lesson.logprobs for lesson in lessons if lesson.logprobs is not None]


def _as_the_teacher_reads(lesson: Lesson) -> list[int]:
    return [*lesson.prompt.teacher_tokens, *lesson.answer]


def _last(top: TopLogprobs, count: int) -> TopLogprobs:
    """Of the last `count` places."""
    start = len(top.tokens) - count
    return TopLogprobs(top.tokens[start:], top.logprobs[start:])


def _weighed(datum: Datum, share: float) -> Datum:
    return replace(datum, weights=datum.weights * np.float32(share))
