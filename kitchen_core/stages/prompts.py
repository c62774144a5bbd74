"""From the data to batches of prompts."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from types import MappingProxyType

import numpy as np

from kitchen_core.refs import RefError
from kitchen_core.slices import drain
from kitchen_core.stages.data import LoadedData
from kitchen_core.stages.datums import check_length, plan_of, shortfalls, unused, warn
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.held_out import HeldOut, held_out
from kitchen_core.stages.watching import Watch
from kitchen_core.train.batches import BatchPlan
from kitchen_core.train.conversations import Conversation, Example
from kitchen_core.train.distillation.prompts import Asking, Prompt
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.types import Datum
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class PromptBatch:
    """The prompts of one step, and the epoch that they belong to."""

    prompts: list[Prompt]
    epoch: int


class PromptBatches(Sequence[PromptBatch]):
    """The run's batches by index. Conversations are kept in memory and rendered when they are asked for.

    sets: the dataset's conversations, then those of each set mixed in. data: SHA-256 over what they
    are from.
    """

    def __init__(
        self, sets: Sequence[Sequence[Conversation]], asking: Asking, plan: BatchPlan, data: str
    ) -> None:
        self._sets = sets
        self._starts = [0, *accumulate(len(each) for each in sets)]
        self._asking = asking
        self._plan = plan
        self.fingerprint = sha256_of_json([data, asking.fingerprint, plan.fingerprint])

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> PromptBatch:  # type: ignore[override]  # a step has no slices
        prompts = [self._prompt(number) for number in self._plan[index]]
        return PromptBatch(prompts, self._plan.epoch(index))

    def probe(self, count: int) -> list[Datum]:
        """Prompts of the first batch to try a model on, every token of them but the first."""
        prompts = (prompt.tokens for prompt in self[0].prompts)
        return [_whole(tokens) for tokens in prompts if len(tokens) > 1][:count]

    def first(self, count: int) -> list[Prompt]:
        """The first prompts of the dataset."""
        return [self._asking.prompt(each, 0) for each in self._sets[0][:count]]

    def _prompt(self, number: int) -> Prompt:
        dataset = bisect_right(self._starts, number) - 1
        conversation = self._sets[dataset][number - self._starts[dataset]]
        return self._asking.prompt(conversation, dataset)


class BuildPrompts(Stage):
    """Read the prompts, plan the batches, and prepare the held-out examples."""

    name = "BuildPrompts"
    reads = ("dataset", "renderer", "session")
    writes = MappingProxyType({"batches": Keeping.REBUILT, "held_out": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `batches`: PromptBatches, and `held_out`: HeldOut, of the rows that have an answer.

        Raises InvalidRequest where the model can't read as much as `max_length`, RefError where no
        prompt is short enough.
        """
        data: LoadedData = ctx.state["dataset"]
        check_length(ctx.config.max_length, ctx.state["session"])
        asking = _asking(ctx)
        streams = [data.train, *(each.examples for each in data.mixed)]
        sets = [await _prompts(ctx, stream, asking) for stream in streams]
        main, *mixed = (len(each) for each in sets)
        plan = plan_of(ctx.config, ctx.config.groups_per_batch, data, main, mixed)
        ctx.state["batches"] = PromptBatches(sets, asking, plan, data.fingerprint)
        ctx.state["held_out"], told = await _held_out(ctx, data.test)
        warn(ctx, *shortfalls(plan, "groups_per_batch", "prompts"), *unused(data, plan), *told)


def _asking(ctx: StageContext) -> Asking:
    session: TrainingSession = ctx.state["session"]
    config = ctx.config
    return Asking(
        ctx.state["renderer"],
        config.teacher_prompt,
        config.max_length,
        config.max_tokens,
        session.context_length,
    )


async def _prompts(ctx: StageContext, stream: ExampleStream, asking: Asking) -> list[Conversation]:
    """The conversations whose prompts fit, with a warning where some do not."""
    kept: list[Conversation] = []
    too_long: list[int] = []

    def take(numbered: tuple[int, Example]) -> None:
        number, example = numbered
        assert isinstance(example, Conversation)  # rows read as prompts have turns
        conversation = _unmarked(example)
        if asking.fits(asking.prompt(conversation, 0)):
            kept.append(conversation)
        else:
            too_long.append(number)

    await drain(stream, take, Watch(ctx, f"reading {stream.name}", stream.split.num_rows))
    if not kept:
        raise RefError(none_within(stream.name, str(len(too_long)), asking))
    if too_long:
        warn(
            ctx,
            f"{stream.name}: {len(too_long):,} rows have a prompt beyond {_limit(asking)} and are left out, "
            f"row {too_long[0]} first",
        )
    return kept


def none_within(name: str, count: str, asking: Asking) -> str:
    """Why data can't be asked: so many rows, and no prompt among them that fits."""
    return f"{name}: none of {count} rows has a prompt within {_limit(asking)}; raise max_length"


def _limit(asking: Asking) -> str:
    if not asking.teacher_prompt:
        return f"max_length={asking.max_length}"
    return (
        f"max_length={asking.max_length}, or a teacher_prompt that leaves no room for "
        f"max_tokens={asking.max_tokens} in the model's {asking.context_length}"
    )


async def _held_out(ctx: StageContext, stream: ExampleStream | None) -> tuple[HeldOut, list[str]]:
    """The held-out rows that have an answer to measure against, and what there is to say of them."""
    if stream is None:
        return HeldOut([], [], [], []), []
    examples: list[Example] = []
    first = islice(stream, ctx.config.eval_examples)
    await drain(first, lambda each: examples.append(each[1]), Watch(ctx, f"reading {stream.name}"))
    answered = [
        _unmarked(each) for each in examples if isinstance(each, Conversation) and each.reply
    ]
    measured, told = await ctx.wait(asyncio.to_thread(held_out, answered, _preparation(ctx)))
    if not answered:
        told.append(
            f"none of {len(examples)} held-out rows of {stream.name} has an answer, so there is nothing "
            "to measure; name a test_dataset that has, or set eval_every=0"
        )
    return measured, told


def _preparation(ctx: StageContext) -> Preparation:
    session: TrainingSession = ctx.state["session"]
    return Preparation(
        ctx.state["renderer"],
        session.tokenizer,
        "last_assistant_message",
        ctx.config.max_length,
    )


def _unmarked(conversation: Conversation) -> Conversation:
    """Without the data's marks of what is to be trained: the last answer is what is measured."""
    turns = (replace(message, trainable=None) for message in conversation.messages)
    return replace(conversation, messages=tuple(turns))


def _whole(tokens: Sequence[int]) -> Datum:
    array = np.asarray(tokens, np.int64)
    return Datum(array[:-1], array[1:], np.ones(len(array) - 1, np.float32))
