"""From examples to batches of datums."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from types import MappingProxyType
from typing import Any, TypeVar

from kitchen_core.prepared import PreparedSet
from kitchen_core.slices import drain
from kitchen_core.stages.data import LoadedData
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.held_out import held_out
from kitchen_core.stages.preparing import Preparing, prepare
from kitchen_core.stages.watching import Watch
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.batches import BatchPlan, MixedIn
from kitchen_core.train.conversations import Example
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.types import Datum
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

E = TypeVar("E")


@dataclass(frozen=True)
class Batch:
    """The datums of one step, unweighted, and the epoch that they belong to.

    where: each one's place in the data, for messages to people. numbers: the examples that they are,
    by their numbers in the plan.
    """

    datums: list[Datum]
    epoch: int
    where: list[str]
    numbers: list[int]


class DatumBatches(Sequence[Batch]):
    """The run's batches by index, cut out of the prepared sets: the dataset's, then each mixed one's.

    names: what each set is called in messages. width: the sequences of one example, neighbours in
    its set: 2 of a comparison.
    """

    def __init__(
        self, sets: Sequence[PreparedSet], names: Sequence[str], plan: BatchPlan, width: int = 1
    ) -> None:
        self._sets = sets
        self._names = names
        self._width = width
        self._starts = [0, *accumulate(len(each) // width for each in sets)]
        self._plan = plan
        self.fingerprint = sha256_of_json([[each.fingerprint for each in sets], plan.fingerprint])

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Batch:  # type: ignore[override]  # a step has no slices
        numbers = self._plan[index]
        places = [place for number in numbers for place in self._places(number)]
        return Batch(
            [self._sets[which][i] for which, i in places],
            self._plan.epoch(index),
            [f"{self._names[which]} row {self._sets[which].row(i)}" for which, i in places],
            numbers,
        )

    def example(self, number: int) -> list[Datum]:
        """An example's datums `[width]`, by its number."""
        return [self._sets[which][i] for which, i in self._places(number)]

    def used(self) -> list[int]:
        """The numbers of the examples that some batch has, each once, in order."""
        return sorted({number for index in range(len(self)) for number in self._plan[index]})

    def probe(self, count: int) -> list[Datum]:
        """Examples to try a model on."""
        return self[0].datums[:count]

    def _places(self, number: int) -> list[tuple[int, int]]:
        """Where an example's sequences are: which set, and which of it."""
        which = bisect_right(self._starts, number) - 1
        first = (number - self._starts[which]) * self._width
        return [(which, first + i) for i in range(self._width)]


class BuildDatums(Stage):
    """Prepare the sets, plan the batches, and prepare the held-out examples."""

    name = "BuildDatums"
    reads = ("dataset", "renderer", "session")
    writes = MappingProxyType({"batches": Keeping.REBUILT, "held_out": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `batches`: DatumBatches, and `held_out`: HeldOut.

        Raises InvalidRequest where the model can't read as much as `max_length`.
        """
        data: LoadedData[Example] = ctx.state["dataset"]
        preparation = _preparation(ctx)
        ctx.state["batches"] = await batches_of(ctx, data, preparation)
        examples = await first_of(ctx, data.test, ctx.config.eval_examples)
        measured, left_out = await ctx.wait(asyncio.to_thread(held_out, examples, preparation))
        ctx.state["held_out"] = measured
        warn(ctx, *left_out)


async def batches_of(
    ctx: StageContext,
    data: LoadedData[E],
    preparation: Preparing[E],
    *,
    width: int = 1,
    unit: str = "examples",
) -> DatumBatches:
    """The run's batches of what it trains on, prepared, with warnings of what falls short. width: how
    many sequences an example is; unit: what it is called.

    Raises InvalidRequest where the model can't read as much as `max_length`.
    """
    check_length(preparation.max_length, ctx.state["session"])
    train = await _prepared(ctx, data.train, preparation)
    mixed = [await _prepared(ctx, each.examples, preparation) for each in data.mixed]
    sizes = [len(each) // width for each in mixed]
    plan = plan_of(ctx.config, ctx.config.batch_size, data, len(train) // width, sizes)
    warn(ctx, *shortfalls(plan, unit=unit), *unused(data, plan))
    names = [data.train.name, *(each.examples.name for each in data.mixed)]
    return DatumBatches([train, *mixed], names, plan, width)


def shortfalls(plan: BatchPlan, setting: str = "batch_size", unit: str = "examples") -> list[str]:
    """Where the plan gives less than was asked for, in a sentence each. setting, unit: what a batch's
    size is called, and what it is made of.
    """
    found = []
    if plan.batch_size > plan.epoch_size:
        found.append(
            f"{setting}={plan.batch_size}, but there are {plan.epoch_size} {unit} to train on; "
            "every step takes all of them"
        )
    if plan.max_steps is not None and plan.max_steps > len(plan):
        found.append(
            f"max_steps={plan.max_steps}, but num_epochs={plan.num_epochs} gives {len(plan)} steps; "
            "raise num_epochs for more"
        )
    return found


def unused(data: LoadedData[E], plan: BatchPlan) -> list[str]:
    """The mixed sets whose share is less than one example, in a sentence each."""
    return [
        f"mix: a share of {each.share:g} of {plan.num_examples} examples is none of {each.ref}; raise it"
        for each, mixed in zip(data.mixed, plan.mixed, strict=True)
        if not mixed.per_epoch
    ]


async def first_of(ctx: StageContext, stream: ExampleStream[E] | None, count: int) -> list[E]:
    """The first examples of a stream, or all where there are fewer."""
    found: list[E] = []
    if stream is not None:
        numbered = islice(stream, count)
        await drain(
            numbered, lambda each: found.append(each[1]), Watch(ctx, f"reading {stream.name}")
        )
    return found


def check_length(max_length: int, session: TrainingSession) -> None:
    """Raise InvalidRequest where the model can't read as much as `max_length`."""
    if max_length > session.context_length:
        raise InvalidRequest(
            f"max_length={max_length}, but the model reads at most {session.context_length} tokens",
            hint=f"Set max_length={session.context_length} or less.",
        )


def _preparation(ctx: StageContext) -> Preparation:
    session: TrainingSession = ctx.state["session"]
    config = ctx.config
    return Preparation(ctx.state["renderer"], session.tokenizer, config.train_on, config.max_length)


async def _prepared(
    ctx: StageContext, examples: ExampleStream[E], preparation: Preparing[E]
) -> PreparedSet:
    """The prepared set, with a warning where rows of it are left out."""
    prepared = await prepare(ctx, examples, preparation)
    left_out = prepared.left_out
    if left_out.count:
        message = (
            f"{examples.name}: {left_out.count:,} rows have {preparation.lacking} within "
            f"max_length={preparation.max_length} and are left out, row {left_out.first_row} first; "
            "raise max_length to train on them"
        )
        warn(ctx, message)
    return prepared


def plan_of(
    config: Any, batch_size: int, data: LoadedData[E], num_examples: int, mixed: Sequence[int]
) -> BatchPlan:
    """Which examples make which batch. num_examples: of the dataset; mixed: of each set mixed in."""
    shares = zip(data.mixed, mixed, strict=True)
    return BatchPlan(
        num_examples=num_examples,
        batch_size=batch_size,
        num_epochs=config.num_epochs,
        max_steps=config.max_steps,
        seed=config.seed,
        mixed=tuple(MixedIn(count, round(of.share * num_examples)) for of, count in shares),
    )


def warn(ctx: StageContext, *messages: str) -> None:
    """Log each sentence as a warning."""
    for message in messages:
        ctx.event(EventKind.LOG, level="warning", message=message)
