"""From examples to batches of datums, and to the examples that evaluation asks the model about."""

from __future__ import annotations

import asyncio
import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from types import MappingProxyType

import numpy as np

from kitchen_core.prepared import PreparedSet
from kitchen_core.slices import drain
from kitchen_core.stages.data import LoadedData
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.preparing import prepare
from kitchen_core.stages.watching import Watch
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.batches import BatchPlan, MixedIn
from kitchen_core.train.conversations import Conversation, Document, Example
from kitchen_core.train.datums import datum_from_rendered
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.preparing import Preparation
from kitchen_core.train.renderers import Renderer
from kitchen_core.train.types import Datum, Message
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

    def _find(self, number: int) -> tuple[int, int]:
        """An example by its number through all sets: which set, and which of it."""
        which = bisect_right(self._starts, number) - 1
        return which, number - self._starts[which]


@dataclass(frozen=True)
class HeldOut:
    """What evaluation measures on. Only conversations have a prompt; a plain text has datums alone.

    prompts: token ids `[prompt]` of each. questions: the user's turns in each prompt, for people.
    answers: the turn expected. fingerprint: SHA-256 over the tokens, what of them is trained, and
    the answers.
    """

    datums: list[Datum]
    prompts: list[list[int]]
    questions: list[str]
    answers: list[Message]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        """Take the fingerprint once: every checkpoint asks for it."""
        answers = [answer.to_json() for answer in self.answers]
        texts = [self.prompts, self.questions, answers]
        found = sha256_of_json([_sha256_of_datums(self.datums), *texts])
        object.__setattr__(self, "fingerprint", found)


def _sha256_of_datums(datums: Sequence[Datum]) -> str:
    digest = hashlib.sha256()
    for datum in datums:
        digest.update(len(datum).to_bytes(8, "little"))
        for array in (datum.tokens, datum.targets, datum.weights):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


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
        _check_length(ctx.config.max_length, ctx.state["session"])
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


def shortfalls(plan: BatchPlan) -> list[str]:
    """Where the plan gives less than was asked for, in a sentence each."""
    found = []
    if plan.batch_size > plan.epoch_size:
        found.append(
            f"batch_size={plan.batch_size}, but there are {plan.epoch_size} examples to train on; "
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


def held_out(examples: Sequence[Example], preparation: Preparation) -> tuple[HeldOut, list[str]]:
    """Held-out examples rendered for loss and for sampling, and what there is to say of those that
    are not measured.

    A question can't be cut without becoming another one, so those that fill `max_length` are left
    out.
    """
    datums: list[Datum] = []
    asked: list[tuple[list[int], str, Message]] = []
    too_long, untrained = 0, 0
    for example in examples:
        prompt = _prompt(example, preparation.renderer)
        if prompt is not None and len(prompt) >= preparation.max_length:
            too_long += 1
            continue
        sequences = preparation.sequences(example)
        untrained += not sequences
        datums.extend(datum_from_rendered(each) for each in sequences)
        if isinstance(example, Conversation) and prompt is not None:
            asked.append((prompt, _question(example), example.answer))
    measured = HeldOut(
        datums,
        [prompt for prompt, _, _ in asked],
        [question for _, question, _ in asked],
        [answer for _, _, answer in asked],
    )
    return measured, _not_measured(len(examples), too_long, untrained, preparation)


def _prompt(example: Example, renderer: Renderer) -> list[int] | None:
    return None if isinstance(example, Document) else renderer.prompt(example.prompt)


def _question(conversation: Conversation) -> str:
    """What the user said before the answer, turn by turn: a follow-up says little alone."""
    turns = conversation.prompt.messages
    return " … ".join(turn.content for turn in turns if turn.role == "user")


def _not_measured(count: int, too_long: int, untrained: int, preparation: Preparation) -> list[str]:
    found = []
    if too_long:
        found.append(
            f"{too_long} of {count} held-out rows have a prompt of max_length={preparation.max_length} "
            "tokens or more and are not measured"
        )
    if untrained:
        found.append(
            f"{untrained} of {count} held-out rows have nothing to train within "
            f"max_length={preparation.max_length} and are left out of the loss"
        )
    return found


async def _first(ctx: StageContext, stream: ExampleStream | None, count: int) -> list[Example]:
    """The first examples of a stream, or all where there are fewer."""
    found: list[Example] = []
    if stream is not None:
        numbered = islice(stream, count)
        await drain(
            numbered, lambda each: found.append(each[1]), Watch(ctx, f"reading {stream.name}")
        )
    return found


def _check_length(max_length: int, session: TrainingSession) -> None:
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
