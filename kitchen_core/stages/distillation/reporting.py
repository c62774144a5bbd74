"""What a step of distillation has to say: metrics, and answers that a person can read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from kitchen_core.stages.datums import warn
from kitchen_core.stages.distillation.answering import Answered
from kitchen_core.stages.distillation.learning import (
    DistillBatch,
    sampled_logprobs,
    teacher_logprobs,
)
from kitchen_core.stages.step_metrics import (
    optim_metrics,
    progress_metrics,
    token_metrics,
    work_metrics,
)
from kitchen_core.stages.submitted import Submitted, Update, both
from kitchen_core.stages.teachers import Teachers
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.datums import mean_nll
from kitchen_core.train.distillation.lesson import LEFT_OUT, Lesson
from kitchen_core.train.kl import kl_sample_train
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.spans import token_texts
from kitchen_core.train.types import Datum, FloatArray, ForwardResult
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


class LogDistillation(Stage):
    """Wait for the step and record its metrics."""

    name = "LogDistillation"
    reads = ("session", "answered", "distill_batch", "submitted", "update")
    writes = MappingProxyType({"learnt": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `learnt`: ForwardResult, or None where there was nothing to learn from.

        Metrics are named as tinker-cookbook names them. `teacher_kl` is the mean over the answers'
        tokens of KL(student || teacher), exact or at the sampled tokens, in nats.
        """
        answered: Answered = ctx.state["answered"]
        submitted: Submitted | None = ctx.state["submitted"]
        metrics = {**progress_metrics(ctx, answered.epoch), **_answer_metrics(ctx, answered)}
        ctx.state["learnt"] = None
        if submitted is not None:
            metrics |= await self._learnt(ctx, submitted, answered.seconds)
        else:
            _warn_of_nothing(ctx, answered)
        ctx.telemetry.metrics(ctx.step, metrics)

    async def _learnt(
        self, ctx: StageContext, submitted: Submitted, sampling_s: float
    ) -> dict[str, float]:
        update: Update = ctx.state["update"]
        session: TrainingSession = ctx.state["session"]
        batch: DistillBatch = ctx.state["distill_batch"]
        forward, optim = await ctx.wait(both(submitted.handle, update.handle))
        ctx.state["learnt"] = forward
        seconds = time.perf_counter() - submitted.at
        said = (
            {"train_mean_nll": mean_nll(forward.logprobs, submitted.datums)}
            if ctx.config.mode == "off_policy"
            else _policy_metrics(batch, forward)
        )
        return {
            **said,
            **token_metrics(batch.datums, seconds + sampling_s),
            **optim_metrics(update, optim),
            **work_metrics(forward.metrics, session.device_facts, seconds),
        }


def _answer_metrics(ctx: StageContext, answered: Answered) -> dict[str, float]:
    lessons = answered.lessons
    tokens = sum(len(lesson.answer) for lesson in lessons)
    metrics = {
        "env/all/ac_tokens_per_turn": tokens / len(lessons),
        "env/all/ob_tokens_per_turn": sum(len(x.prompt.tokens) for x in lessons) / len(lessons),
        "time/sampling_s": answered.seconds,
    }
    if ctx.config.mode == "off_policy":
        reasons = [lesson.left_out for lesson in lessons]
        metrics |= {f"left_out/{reason}": float(reasons.count(reason)) for reason in LEFT_OUT}
    return metrics


def _policy_metrics(batch: DistillBatch, forward: ForwardResult) -> dict[str, float]:
    """How far student and teachers are apart, and whether trainer and sampler agree."""
    sampled = sampled_logprobs(batch.lessons)
    trained = [_at_answer(*pair) for pair in zip(forward.logprobs, batch.datums, strict=True)]
    kl = kl_sample_train(sampled, trained)
    return {
        **_distances(batch, sampled, forward),
        "optim/kl_sample_train_v1": kl.v1,
        "optim/kl_sample_train_v2": kl.v2,
        "optim/entropy": -float(np.concatenate(sampled).mean(dtype=np.float64)),
    }


def _distances(
    batch: DistillBatch, sampled: Sequence[FloatArray], forward: ForwardResult
) -> dict[str, float]:
    if batch.taught is None:
        return {k: v for k, v in forward.metrics.items() if k.startswith("teacher_kl")}
    gaps = [q - lp for q, lp in zip(sampled, batch.taught, strict=True)]
    by_dataset: dict[int, list[FloatArray]] = {}
    for lesson, gap in zip(batch.lessons, gaps, strict=True):
        by_dataset.setdefault(lesson.prompt.dataset, []).append(gap)
    return {
        "teacher_kl": _mean(gaps),
        **{f"teacher_kl/dataset_{k}": _mean(each) for k, each in sorted(by_dataset.items())},
    }


def _mean(values: Sequence[FloatArray]) -> float:
    return float(np.concatenate(values).mean(dtype=np.float64))


def _warn_of_nothing(ctx: StageContext, answered: Answered) -> None:
    reasons = [lesson.left_out for lesson in answered.lessons]
    told = ", ".join(f"{reasons.count(each)} {each}" for each in LEFT_OUT if each in reasons)
    cut = "; raise max_tokens to have whole ones" if "cut_off" in reasons else ""
    refusal = next((lesson.refusal for lesson in answered.lessons if lesson.refusal), None)
    why = f"; the first refusal: {refusal}" if refusal else ""
    warn(
        ctx,
        f"step {ctx.step}: every answer is left out ({told}), so nothing is learnt{cut}{why}",
    )


class LogDistilled(Stage):
    """Record a few of the answers of the step, token by token as student and teacher see them."""

    name = "LogDistilled"
    reads = ("renderer", "session", "teachers", "answered", "distill_batch", "learnt")

    async def run(self, ctx: StageContext) -> None:
        """A `sample.logged` event for each of `log_samples` answers. The logprobs are those before the
        step; one that is not known is null.
        """
        answered: Answered = ctx.state["answered"]
        shown = answered.lessons[: ctx.config.log_samples]
        if not shown:
            return
        if ctx.config.mode == "on_policy":
            student = sampled_logprobs(shown)
            teacher = await self._taught(ctx, shown)
        else:
            student = [self._learnt(ctx, lesson) for lesson in shown]
            teacher = [lesson.logprobs for lesson in shown]
        for index, lesson in enumerate(shown):
            self._log(ctx, index, lesson, student[index], teacher[index])

    async def _taught(self, ctx: StageContext, shown: Sequence[Lesson]) -> list[FloatArray]:
        batch: DistillBatch = ctx.state["distill_batch"]
        if batch.taught is not None:
            return batch.taught[: len(shown)]
        return await teacher_logprobs(ctx, ctx.state["teachers"], shown)

    def _learnt(self, ctx: StageContext, lesson: Lesson) -> FloatArray | None:
        """The student's logprobs of a teacher's answer, where its own tokens were the targets."""
        batch: DistillBatch = ctx.state["distill_batch"]
        learnt: ForwardResult | None = ctx.state["learnt"]
        if learnt is None or lesson.left_out or ctx.config.top_k_targets:
            return None
        at = next(i for i, each in enumerate(batch.lessons) if each is lesson)
        return _at_answer(learnt.logprobs[at], batch.datums[at])

    def _log(
        self,
        ctx: StageContext,
        index: int,
        lesson: Lesson,
        student: FloatArray | None,
        teacher: FloatArray | None,
    ) -> None:
        renderer: Renderer = ctx.state["renderer"]
        session: TrainingSession = ctx.state["session"]
        texts = token_texts(lesson.answer, session.tokenizer.decode)
        ctx.event(
            EventKind.SAMPLE_LOGGED,
            _distance(student, teacher),
            kind="distilled",
            index=index,
            where=lesson.prompt.where,
            question=lesson.prompt.question,
            prompt=renderer.text(lesson.prompt.tokens),
            teacher=_teacher_name(ctx.state["teachers"], lesson),
            left_out=lesson.left_out,
            tokens=[[text, _at(student, i), _at(teacher, i)] for i, text in enumerate(texts)],
        )


def _distance(student: FloatArray | None, teacher: FloatArray | None) -> dict[str, float]:
    """The mean distance a token, where both are known."""
    if student is None or teacher is None or not len(student):
        return {}
    return {"kl": float((student - teacher).mean(dtype=np.float64))}


def _teacher_name(teachers: Teachers, lesson: Lesson) -> str:
    """Who gave the answer, or who scored it."""
    if teachers.llm is not None:
        return teachers.llm_name
    if lesson.teacher is not None:
        return teachers[lesson.teacher].name
    return ", ".join(teacher.name for teacher in teachers)


def _at(logprobs: FloatArray | None, index: int) -> float | None:
    return None if logprobs is None else float(logprobs[index])


def _at_answer(logprobs: FloatArray, datum: Datum) -> FloatArray:
    """The values at the predictions that count."""
    return logprobs[datum.weights != 0]
