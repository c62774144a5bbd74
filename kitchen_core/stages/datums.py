"""From examples to batches of datums."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from types import MappingProxyType

from kitchen_core.prepared import PreparedSet
from kitchen_core.slices import drain
from kitchen_core.stages.data import LoadedData
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.held_out import held_out
from kitchen_core.stages.preparing import prepare
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


@dataclass(frozen=True)
class Batch:
    """The datums of one step, unweighted, and the epoch that they belong to.

    where: each one's place in the data, for messages to people.
    """

    datums: list[Datum]
    epoch: int
    where: list[str]


class DatumBatches(Sequence[Batch]):
    """The run's batches by index, cut out of the prepared sets: the dataset's, then each mixed one's.

    names: what each set is called in messages.
    """

    def __init__(self, sets: Sequence[PreparedSet], names: Sequence[str], plan: BatchPlan) -> None:
        self._sets = sets
        self._names = names
        self._starts = [0, *accumulate(len(each) for each in sets)]
        self._plan = plan
        self.fingerprint = sha256_of_json([[each.fingerprint for each in sets], plan.fingerprint])

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Batch:  # type: ignore[override]  # a step has no slices
        examples = [self._find(number) for number in self._plan[index]]
        return Batch(
            [self._sets[which][i] for which, i in examples],
            self._plan.epoch(index),
            [f"{self._names[which]} row {self._sets[which].row(i)}" for which, i in examples],
        )

    def probe(self, count: int) -> list[Datum]:
        """Examples to try a model on."""
        return self[0].datums[:count]

    def _find(self, number: int) -> tuple[int, int]:
        """An example by its number through all sets: which set, and which of it."""
        which = bisect_right(self._starts, number) - 1
        return which, number - self._starts[which]


class BuildDatums(Stage):
    """Prepare the sets, plan the batches, and prepare the held-out examples."""

    name = "BuildDatums"
    reads = ("dataset", "renderer", "session")
    writes = MappingProxyType({"batches": Keeping.REBUILT, "held_out": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `batches`: DatumBatches, and `held_out`: HeldOut.

        Raises InvalidRequest where the model can't read as much as `max_length`.
        """
        data: LoadedData = ctx.state["dataset"]
        check_length(ctx.config.max_length, ctx.state["session"])
        preparation = _preparation(ctx)
        train = await _prepared(ctx, data.train, preparation)
        mixed = [await _prepared(ctx, each.examples, preparation) for each in data.mixed]
        plan = _plan(ctx, data, train, mixed)
        names = [data.train.name, *(each.examples.name for each in data.mixed)]
        ctx.state["batches"] = DatumBatches([train, *mixed], names, plan)
        examples = await _first(ctx, data.test, ctx.config.eval_examples)
        measured, left_out = await ctx.wait(asyncio.to_thread(held_out, examples, preparation))
        ctx.state["held_out"] = measured
        for message in (*shortfalls(plan), *unused(data, plan), *left_out):
            _warn(ctx, message)


def shortfalls(plan: BatchPlan, setting: str = "batch_size", unit: str = "examples") -> list[str]:
    """Where the plan gives less than was asked for, in a sentence each.

    setting, unit: what the size of a batch is called, and what it counts.
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


def unused(data: LoadedData, plan: BatchPlan) -> list[str]:
    """The mixed sets whose share is less than one example, in a sentence each."""
    return [
        f"mix: a share of {each.share:g} of {plan.num_examples} examples is none of {each.ref}; raise it"
        for each, mixed in zip(data.mixed, plan.mixed, strict=True)
        if not mixed.per_epoch
    ]


async def _first(ctx: StageContext, stream: ExampleStream | None, count: int) -> list[Example]:
    """The first examples of a stream, or all where there are fewer."""
    found: list[Example] = []
    if stream is not None:
        numbered = islice(stream, count)
        await drain(
            numbered, lambda each: found.append(each[1]), Watch(ctx, f"reading {stream.name}")
        )
    return found


def check_length(max_length: int, session: TrainingSession) -> None:
    """Raise InvalidRequest where the model can't read as much as that."""
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
    ctx: StageContext, examples: ExampleStream, preparation: Preparation
) -> PreparedSet:
    """The prepared set, with a warning where rows of it are left out."""
    prepared = await prepare(ctx, examples, preparation)
    left_out = prepared.left_out
    if left_out.count:
        _warn(
            ctx,
            f"{examples.name}: {left_out.count:,} rows have no token to train within "
            f"max_length={preparation.max_length} and are left out, row {left_out.first_row} first; "
            "raise max_length to train on them",
        )
    return prepared


def _plan(
    ctx: StageContext, data: LoadedData, train: PreparedSet, mixed: Sequence[PreparedSet]
) -> BatchPlan:
    config = ctx.config
    shares = zip(data.mixed, mixed, strict=True)
    return BatchPlan(
        num_examples=len(train),
        batch_size=config.batch_size,
        num_epochs=config.num_epochs,
        max_steps=config.max_steps,
        seed=config.seed,
        mixed=tuple(MixedIn(len(each), round(of.share * len(train))) for of, each in shares),
    )


def _warn(ctx: StageContext, message: str) -> None:
    ctx.event(EventKind.LOG, level="warning", message=message)
