"""From conversations to batches of datums, and to the examples that evaluation asks the model
about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.stages.data import ChatData
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.batches import BatchPlan
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.datums import datum_from_rendered
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.renderers import Renderer, RenderError
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
    where: tuple[str, ...] = ()


class DatumBatches(Sequence[Batch]):
    """The run's batches by index; an example is rendered when it is first needed."""

    def __init__(
        self, data: ChatData, renderer: Renderer, plan: BatchPlan, max_length: int
    ) -> None:
        self._conversations = data.train
        self._renderer = renderer
        self._plan = plan
        self._max_length = max_length
        self._rendered: dict[int, Datum] = {}
        self.fingerprint = sha256_of_json(
            [data.fingerprint, renderer.fingerprint, plan.fingerprint, max_length]
        )

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Batch:  # type: ignore[override]  # a step has no slices
        examples = self._plan[index]
        return Batch(
            [self._datum(i) for i in examples],
            self._plan.epoch(index),
            tuple(self._conversations[i].where for i in examples),
        )

    def _datum(self, i: int) -> Datum:
        if i not in self._rendered:
            self._rendered[i] = rendered_datum(
                self._conversations[i], self._renderer, self._max_length
            )
        return self._rendered[i]


@dataclass(frozen=True)
class HeldOut:
    """What evaluation measures on.

    prompts: token ids `[prompt]` of each. questions: the last turn of each prompt, for people.
    answers: the text expected.
    """

    datums: list[Datum]
    prompts: list[list[int]]
    questions: list[str]
    answers: list[str]
    fingerprint: str


class BuildDatums(Stage):
    """Plan the batches and prepare the held-out examples."""

    name = "BuildDatums"
    reads = ("dataset", "renderer")
    writes = MappingProxyType({"batches": Keeping.REBUILT, "held_out": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `batches`: DatumBatches, and `held_out`: HeldOut."""
        config = ctx.config
        data: ChatData = ctx.state["dataset"]
        renderer: Renderer = ctx.state["renderer"]
        plan = BatchPlan(
            num_examples=len(data.train),
            batch_size=config.batch_size,
            num_epochs=config.num_epochs,
            max_steps=config.max_steps,
            seed=config.seed,
        )
        ctx.state["batches"] = DatumBatches(data, renderer, plan, config.max_length)
        prepared, too_long = await asyncio.to_thread(
            held_out, data.test, renderer, config.max_length
        )
        ctx.state["held_out"] = prepared
        for message in (*shortfalls(plan), *too_long):
            ctx.event(EventKind.LOG, level="warning", message=message)


def shortfalls(plan: BatchPlan) -> list[str]:
    """Where the plan gives less than was asked for, in a sentence each."""
    found = []
    if plan.batch_size > plan.num_examples:
        found.append(
            f"batch_size={plan.batch_size}, but there are {plan.num_examples} rows to train on; "
            "every step takes all of them"
        )
    if plan.max_steps is not None and plan.max_steps > len(plan):
        found.append(
            f"max_steps={plan.max_steps}, but num_epochs={plan.num_epochs} gives {len(plan)} steps; "
            "raise num_epochs for more"
        )
    return found


def rendered_datum(conversation: Conversation, renderer: Renderer, max_length: int) -> Datum:
    """The conversation as a datum.

    Raises RenderError naming the row, also where nothing in it is trained.
    """
    try:
        datum = datum_from_rendered(
            renderer.supervised(conversation, "all_assistant_messages"), max_length
        )
    except RenderError as error:
        raise RenderError(f"{conversation.where}: {error}") from None
    if not datum.num_loss_tokens:
        raise RenderError(
            f"{conversation.where}: no token of it would be trained within max_length={max_length}; "
            "raise max_length, or take the row out"
        )
    return datum


def held_out(
    conversations: list[Conversation], renderer: Renderer, max_length: int
) -> tuple[HeldOut, list[str]]:
    """The held-out conversations, rendered for loss and for sampling, and what there is to say of
    others.

    A question can't be cut without becoming another one, so those that fill `max_length` are left
    out.
    """
    prompts = [renderer.prompt(each.prompt) for each in conversations]
    kept = [
        (conversation, prompt)
        for conversation, prompt in zip(conversations, prompts, strict=True)
        if len(prompt) < max_length
    ]
    messages = [message.to_json() for each, _ in kept for message in each.messages]
    prepared = HeldOut(
        datums=[rendered_datum(each, renderer, max_length) for each, _ in kept],
        prompts=[prompt for _, prompt in kept],
        questions=[each.prompt.messages[-1].content for each, _ in kept],
        answers=[each.answer.content for each, _ in kept],
        fingerprint=sha256_of_json([renderer.fingerprint, max_length, messages]),
    )
    missing = len(conversations) - len(kept)
    if not missing:
        return prepared, []
    return prepared, [
        f"{missing} of {len(conversations)} held-out rows have a prompt of max_length={max_length} "
        "tokens or more and are not measured"
    ]
