"""Bringing in the data: what is trained on, what is mixed in, and rows held out to measure on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from kitchen_core.refs import RefError
from kitchen_core.resolved_data import ResolvedDataset, Split
from kitchen_core.stages.examples import ExampleStream
from kitchen_core.stages.watching import Watch
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.batches import is_held_out
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.schemas import COMPARISONS, EXAMPLES, PROMPTS, Reading, RowError
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage, StageOptions

CHECKED_AT_ONCE = 200
"""Rows of each set that are checked here, so that a set that does not fit is refused before a model
is loaded. The others are as they are prepared.
"""


E = TypeVar("E")


@dataclass(frozen=True)
class MixedStream(Generic[E]):
    """Examples mixed in: `share` of them for each one of the dataset."""

    ref: str
    examples: ExampleStream[E]
    share: float


@dataclass(frozen=True)
class LoadedData(Generic[E]):
    """What a run trains on and is measured on, as streams."""

    train: ExampleStream[E]
    mixed: tuple[MixedStream[E], ...]
    test: ExampleStream[E] | None

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what the examples depend on."""
        mixed = [[each.examples.fingerprint, each.share] for each in self.mixed]
        test = self.test.fingerprint if self.test else None
        return sha256_of_json([self.train.fingerprint, mixed, test])


class LoadDatasetOptions(StageOptions):
    """rows: what is made of each row."""

    rows: Literal["examples", "comparisons", "prompts"] = "examples"


class LoadDataset(Stage):
    """Resolve the datasets, check that their rows fit, and hold some out."""

    name = "LoadDataset"
    Options = LoadDatasetOptions
    options: LoadDatasetOptions
    writes = MappingProxyType({"dataset": Keeping.REBUILT})

    async def run(self, ctx: StageContext) -> None:
        """Writes `dataset`: LoadedData."""
        config = ctx.config
        train, test = await self._dataset(ctx)
        mixed = [
            MixedStream(ref, await self._mixed_in(ctx, ref, each.fields), each.share)
            for ref, each in config.mix.items()
        ]
        if config.eval_every and config.test_dataset is not None:
            test = await self._measured_on(ctx, config.test_dataset, config.fields)
        if config.eval_every and test is None:
            raise RefError(
                f"nothing of {config.dataset} is held out to measure on; raise test_fraction, "
                "name a test_dataset, or set eval_every=0"
            )
        measured = test if config.eval_every else None
        ctx.state["dataset"] = LoadedData(train, tuple(mixed), measured)

    @property
    def _reading(self) -> Reading[Any]:
        return READINGS[self.options.rows]

    async def _dataset(
        self, ctx: StageContext
    ) -> tuple[ExampleStream[Any], ExampleStream[Any] | None]:
        """What is trained on, and the data's own test split or a part held out."""
        config = ctx.config
        held_out = _HeldOutCount(config.test_fraction)
        resolved = await self._resolved(ctx, config.dataset, "dataset", seen=held_out.see)
        train = training_stream(resolved, config, self._reading)
        test, num_train, num_test = None, train.split.num_rows, 0
        if resolved.test is not None:
            test = replace(train, name=f"{train.name} (test)", split=resolved.test)
            num_test = resolved.test.num_rows
        elif train.fraction:
            num_test = held_out.rows
            _check_not_all(num_test, train)
            num_train -= num_test
            test = replace(train, held_out=True) if num_test else None
        await self._loaded(ctx, "dataset", resolved, train, num_train, num_test)
        return train, test

    async def _mixed_in(
        self, ctx: StageContext, ref: str, fields: Mapping[str, str]
    ) -> ExampleStream[Any]:
        resolved = await self._resolved(ctx, ref, "mix")
        examples = mixed_stream(resolved, fields, self._reading)
        await self._loaded(ctx, "mix", resolved, examples, examples.split.num_rows, 0)
        return examples

    async def _measured_on(
        self, ctx: StageContext, ref: str, fields: Mapping[str, str]
    ) -> ExampleStream[Any]:
        """Another set to measure on: its test split where it has one.

        Its columns are named as the dataset's are, or as its own form has them.
        """
        resolved = await self._resolved(ctx, ref, "test_dataset")
        split = resolved.test or _to_train_on(resolved)
        examples = ExampleStream(resolved.node.name, split, self._reading, fields)
        try:
            await asyncio.to_thread(examples.schema)
        except RowError:
            examples = replace(examples, fields={})
        await self._loaded(ctx, "test_dataset", resolved, examples, 0, split.num_rows)
        return examples

    async def _resolved(
        self,
        ctx: StageContext,
        ref: str,
        role: str,
        seen: Callable[[str], None] = lambda line: None,
    ) -> ResolvedDataset:
        watch = Watch(ctx, f"reading {ref}")
        return await ctx.wait(ctx.resolver.dataset(ref, role, between=watch, seen=seen))

    async def _loaded(
        self,
        ctx: StageContext,
        role: str,
        resolved: ResolvedDataset,
        examples: ExampleStream[Any],
        train_rows: int,
        test_rows: int,
    ) -> None:
        """Check the first rows and record where all of them come from."""
        schema = await ctx.wait(asyncio.to_thread(examples.check, CHECKED_AT_ONCE))
        ctx.event(
            EventKind.DATASET_LOADED,
            {"rows": resolved.num_rows, "train_rows": train_rows, "test_rows": test_rows},
            role=role,
            ref=resolved.ref,
            name=resolved.node.name,
            revision=resolved.revision,
            sha256=resolved.fingerprint,
            schema=schema.name,
            columns=dict(schema.mapping),
        )


READINGS: Mapping[str, Reading[Any]] = MappingProxyType(
    {reading.name: reading for reading in (EXAMPLES, COMPARISONS, PROMPTS)}
)
"""What can be made of a row."""


def training_stream(
    resolved: ResolvedDataset, config: Any, reading: Reading[E]
) -> ExampleStream[E]:
    """What of the dataset is trained on: all, or, where there is something to measure and neither the
    data nor the config brings a test set, what is not held out.
    """
    train = ExampleStream(resolved.node.name, _to_train_on(resolved), reading, config.fields)
    holds_out = config.eval_every and resolved.test is None and config.test_dataset is None
    return replace(train, fraction=config.test_fraction) if holds_out else train


def mixed_stream(
    resolved: ResolvedDataset, fields: Mapping[str, str], reading: Reading[E]
) -> ExampleStream[E]:
    """What is mixed in of another dataset: all that there is to train on."""
    return ExampleStream(resolved.node.name, _to_train_on(resolved), reading, fields)


def _to_train_on(resolved: ResolvedDataset) -> Split:
    if resolved.train is None:
        raise RefError(f"{resolved.ref} has no split to train on, only one to measure on")
    return resolved.train


class _HeldOutCount:
    """How many of the rows that go by are held out."""

    def __init__(self, fraction: float) -> None:
        self.rows = 0
        self._fraction = fraction

    def see(self, line: str) -> None:
        """Take the next row by its canonical text."""
        self.rows += is_held_out(line, self._fraction)


def _check_not_all(held_out: int, train: ExampleStream[Any]) -> None:
    rows = train.split.num_rows
    if held_out == rows:
        raise RefError(
            f"holding out {train.fraction:.0%} of {rows} rows leaves none to train on; "
            "set test_fraction=0"
        )
