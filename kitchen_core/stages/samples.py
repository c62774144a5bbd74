"""What a person can read of a run: rows as they are trained on, and answers as they are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from kitchen_core.stages.datums import Batch
from kitchen_core.stages.evaluation import Answer
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.spans import datum_spans, scored_texts
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Stage


class LogRows(Stage):
    """Record a few rows of the coming batch, with what is trained in them."""

    name = "LogRows"
    reads = ("session", "batches")
    sides: tuple[str, ...] = ()
    """What the sequences of one row are called, where a row gives several to be told apart."""

    async def run(self, ctx: StageContext) -> None:
        """A `sample.logged` event for each of `log_samples` rows. At the end of the run no batch is left
        to come.
        """
        batches: Sequence[Batch] = ctx.state["batches"]
        if ctx.step < len(batches):
            _log_rows(ctx, batches[ctx.step], self.sides)


class LogPairRows(LogRows):
    """Record both sides of the coming batch's first pairs."""

    sides = ("chosen", "rejected")


class LogAnswers(Stage):
    """Record a few of the answers that were measured."""

    name = "LogAnswers"
    reads = ("session", "answers")

    async def run(self, ctx: StageContext) -> None:
        """A `sample.logged` event for each of `log_samples` answers, to the same questions every time."""
        _log_answers(ctx, ctx.state["answers"])


def _log_rows(ctx: StageContext, batch: Batch, sides: Sequence[str]) -> None:
    session: TrainingSession = ctx.state["session"]
    for index, datum in enumerate(batch.datums[: ctx.config.log_samples]):
        ctx.event(
            EventKind.SAMPLE_LOGGED,
            kind="train",
            index=index,
            where=batch.where[index],
            side=sides[index % len(sides)] if sides else None,
            segments=[asdict(span) for span in datum_spans(datum, session.tokenizer.decode)],
            num_tokens=len(datum) + 1,
            num_loss_tokens=datum.num_loss_tokens,
        )


def _log_answers(ctx: StageContext, answers: list[Answer]) -> None:
    session: TrainingSession = ctx.state["session"]
    for index, answer in enumerate(answers[: ctx.config.log_samples]):
        sample = answer.sample
        ctx.event(
            EventKind.SAMPLE_LOGGED,
            {"logprob": float(sample.logprobs.sum())},
            kind="answer",
            index=index,
            prompt=answer.prompt,
            question=answer.question,
            completion=answer.completion,
            tokens=scored_texts(sample.tokens, sample.logprobs, session.tokenizer.decode),
            expected=answer.expected,
            correct=answer.correct,
            rewards=dict(answer.rewards),
        )
