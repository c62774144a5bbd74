"""Bringing in the data: the training rows, and rows held out to measure on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from kitchen_core.refs import RefError, ResolvedDataset
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.batches import split_by_content
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.hashing import canonical_json, sha256_of_json
from kitchen_core.train.schemas import RowError, examples_from_rows
from kitchen_core.train.types import Row
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage


@dataclass(frozen=True)
class ChatData:
    """Conversations to train on and others to measure on.

    fingerprint: SHA-256 over the rows of both.
    """

    train: list[Conversation]
    test: list[Conversation]
    fingerprint: str


class LoadDataset(Stage):
    """Resolve the dataset, check its rows, and hold some out."""

    name = "LoadDataset"
    writes = MappingProxyType({"dataset": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `dataset`: ChatData."""
        config = ctx.config
        resolved = await ctx.wait(ctx.resolver.dataset(config.dataset))
        data = _split(resolved, 0.0 if config.test_dataset else config.test_fraction)
        if config.test_dataset is not None:
            other = await ctx.wait(ctx.resolver.dataset(config.test_dataset, "test_dataset"))
            data = _measured_on(data, other)
        if config.eval_every and not data.test:
            raise RefError(
                f"nothing of {config.dataset} is held out to measure on; raise test_fraction, "
                "name a test_dataset, or set eval_every=0"
            )
        ctx.state["dataset"] = replace(data, test=data.test[: config.eval_examples])
        ctx.event(
            EventKind.DATASET_LOADED,
            {"train_rows": len(data.train), "test_rows": len(data.test)},
            ref=resolved.ref,
            name=resolved.node.name,
            sha256=resolved.fingerprint,
        )


def hold_out(
    conversations: list[Conversation], rows: list[Row], fraction: float
) -> tuple[list[Conversation], list[Conversation]]:
    """Conversations for training and for measuring, split by each row's own content.

    Raises RefError where none would be left to train on.
    """
    train, test = split_by_content([canonical_json(row) for row in rows], fraction)
    if not train:
        raise RefError(
            f"holding out {fraction:.0%} of {len(rows)} rows leaves none to train on; "
            "set test_fraction=0"
        )
    return [conversations[i] for i in train], [conversations[i] for i in test]


def _split(resolved: ResolvedDataset, test_fraction: float) -> ChatData:
    """The data's own split, or a part of it held out. Rows are checked in the order of the file."""
    name = resolved.node.name
    conversations = _conversations(resolved.train, name)
    if resolved.test is not None:
        test = _conversations(resolved.test, f"{name} (test)")
        return ChatData(conversations, test, resolved.fingerprint)
    train, test = hold_out(conversations, resolved.train, test_fraction)
    return ChatData(train, test, resolved.fingerprint)


def _conversations(rows: list[Row], source: str) -> list[Conversation]:
    found = []
    for example in examples_from_rows(rows, source):
        if not isinstance(example, Conversation):
            raise RowError(example.where, "text", "plain text, where a conversation is expected")
        found.append(example)
    return found


def _measured_on(data: ChatData, other: ResolvedDataset) -> ChatData:
    """All of the data to train on, and another set to measure on."""
    test = _conversations(other.test or other.train, other.node.name)
    fingerprint = sha256_of_json([data.fingerprint, other.fingerprint])
    return replace(data, test=test, fingerprint=fingerprint)
