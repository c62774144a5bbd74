"""Bringing in the data: the training rows, and rows held out to measure on."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from kitchen_core.refs import RefError
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.batches import split_by_content
from kitchen_core.train.conversations import Conversation, conversations_from_rows
from kitchen_core.train.hashing import canonical_json, sha256_of_json
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
        resolved = await ctx.wait(ctx.resolver.dataset(ctx.config.dataset))
        train, test = resolved.train, resolved.test
        fingerprint = resolved.fingerprint
        if ctx.config.test_dataset is not None:
            other = await ctx.wait(ctx.resolver.dataset(ctx.config.test_dataset, "test_dataset"))
            test = other.test or other.train
            fingerprint = sha256_of_json([fingerprint, other.fingerprint])
        if test is None:
            train, test = hold_out(train, ctx.config.test_fraction)
        name = resolved.node.name
        data = ChatData(
            conversations_from_rows(train, name),
            conversations_from_rows(test[: ctx.config.eval_examples], f"{name} (held out)"),
            fingerprint,
        )
        ctx.state["dataset"] = data
        ctx.event(
            EventKind.DATASET_LOADED,
            {"train_rows": len(train), "test_rows": len(test)},
            ref=resolved.ref,
            name=name,
            sha256=resolved.fingerprint,
        )


def hold_out(rows: list[Row], fraction: float) -> tuple[list[Row], list[Row]]:
    """Rows for training and for measuring, split by each row's own content."""
    train, test = split_by_content([canonical_json(row) for row in rows], fraction)
    if not train:
        raise RefError(
            f"holding out {fraction:.0%} of {len(rows)} rows leaves none to train on; "
            "set test_fraction=0"
        )
    return [rows[i] for i in train], [rows[i] for i in test]
