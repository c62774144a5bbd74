"""What the reference says of both answers of every pair: computed once, and kept with the run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kitchen_core.content import sha256_of_tree
from kitchen_core.stages.comparisons import SIDES, HeldOutPairs
from kitchen_core.stages.datums import DatumBatches
from kitchen_core.stages.other_models import (
    COMPARED,
    OtherModel,
    find_model,
    load_beside,
    texts_of,
)
from kitchen_core.stages.watching import Watch
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train.hashing import sha256_of_json
from kitchen_core.train.pairs import answer_logprobs, mismatched
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.preference import REFERENCE_FREE
from kitchen_core.train.types import Datum, IntArray
from kitchen_core.workflow.context import StageContext
from kitchen_core.workflow.stage import Keeping, Stage

STORED = "reference"

TOKENS_AT_ONCE = 16384
"""Tokens that are scored before the run is asked whether it shall go on."""

Logprobs = NDArray[np.float64]
_ARRAYS = ("numbers", "train", "held_out", "baselines")
_KEY = "key.json"


@dataclass(frozen=True)
class ReferenceScores:
    """Summed logprobs of answers under the reference, chosen and rejected: `[pairs, 2]`.

    numbers: which pairs those in `train` are, rising. baselines: for kto, the mean over each batch's
    mismatched answers, and last that of the held-out ones; empty for other losses.
    fingerprint: SHA-256 over all that they were computed from.
    """

    fingerprint: str
    numbers: IntArray
    train: Logprobs
    held_out: Logprobs
    baselines: Logprobs

    def of(self, numbers: Sequence[int]) -> Logprobs:
        """Those of a batch's pairs `[batch, 2]`."""
        return self.train[np.searchsorted(self.numbers, numbers)]

    def save(self, folder: Path) -> None:
        """Write everything into an empty folder."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        (folder / _KEY).write_text(json.dumps(self.fingerprint), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> ReferenceScores:
        """What `save` wrote."""
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS}
        return cls(json.loads((folder / _KEY).read_text(encoding="utf-8")), **arrays)


class ReferenceLogprobs(Stage):
    """Score both answers of every pair by the reference model."""

    name = "ReferenceLogprobs"
    reads = ("session", "batches", "held_out_pairs")
    writes = MappingProxyType({"reference": Keeping.REBUILT})
    ports = ("training_client",)

    async def run(self, ctx: StageContext) -> None:
        """Writes `reference`: ReferenceScores, of the pairs that some batch has and of the held-out
        ones; zeros for a loss without a reference.

        They are stored as the tree `reference`, so a run that goes on reads them. Raises
        TokenizationDiffers, and as `TrainingSession.teacher` does.
        """
        batches: DatumBatches = ctx.state["batches"]
        held_out: HeldOutPairs = ctx.state["held_out_pairs"]
        if ctx.config.loss in REFERENCE_FREE:
            ctx.state["reference"] = _without_reference(batches, held_out)
            return
        other = await self._other_model(ctx)
        key = _key(ctx, other)
        found = await ctx.wait(asyncio.to_thread(_stored, ctx, key))
        if found is None:
            found = await self._computed(ctx, other, key)
            folder = ctx.scratch_folder(STORED)
            await asyncio.to_thread(found.save, folder)
            ctx.log.store_tree(folder, STORED, made=False)
        ctx.state["reference"] = found

    async def _other_model(self, ctx: StageContext) -> OtherModel | None:
        """The config's reference model; None where it is the model in training, as it started."""
        ref = ctx.config.reference_model
        return None if ref is None else await find_model(ctx, ref, "reference_model")

    async def _computed(
        self, ctx: StageContext, other: OtherModel | None, key: str
    ) -> ReferenceScores:
        session: TrainingSession = ctx.state["session"]
        batches: DatumBatches = ctx.state["batches"]
        held_out: HeldOutPairs = ctx.state["held_out_pairs"]
        reference = session.reference()
        if other is not None:
            texts = texts_of(batches.probe(COMPARED), session.tokenizer)
            reference = await load_beside(ctx, other, texts)
        try:
            numbers = batches.used()
            pairs = (datum for number in numbers for datum in batches.example(number))
            train = await _scored(ctx, reference, pairs, SIDES * len(numbers))
            test = await _scored(ctx, reference, held_out.datums, len(held_out.datums))
            baselines = await self._baselines(ctx, reference) if ctx.config.loss == "kto" else []
        finally:
            await reference.close()
        return ReferenceScores(
            key,
            np.asarray(numbers, dtype=np.int64),
            train.reshape(-1, SIDES),
            test.reshape(-1, SIDES),
            np.asarray(baselines, dtype=np.float64),
        )

    async def _baselines(self, ctx: StageContext, reference: SamplingClient) -> list[float]:
        batches: DatumBatches = ctx.state["batches"]
        held_out: HeldOutPairs = ctx.state["held_out_pairs"]
        found = []
        for datums in (*(batch.datums for batch in batches), held_out.datums):
            others = mismatched(datums, ctx.config.max_length)
            scored = await _scored(ctx, reference, others, len(others))
            found.append(float(scored.mean()) if others else 0.0)
        return found


def _key(ctx: StageContext, other: OtherModel | None) -> str:
    """What the scores depend on, all of it."""
    session: TrainingSession = ctx.state["session"]
    model = other.fingerprint if other else session.fingerprint
    pairs = [ctx.state[key].fingerprint for key in ("batches", "held_out_pairs")]
    return sha256_of_json([model, *pairs, ctx.config.loss == "kto", ctx.config.max_length])


def _stored(ctx: StageContext, key: str) -> ReferenceScores | None:
    """What an earlier attempt computed, if it is of the same pairs and as it was written."""
    for record in ctx.log.stored(STORED):
        if record.path.is_dir() and sha256_of_tree(record.path) == record.sha256:
            found = ReferenceScores.load(record.path)
            if found.fingerprint == key:
                return found
        message = (
            f"the stored {record.name} logprobs are not those of this run; computing them anew"
        )
        ctx.event(EventKind.LOG, level="warning", message=message)
        ctx.log.remove(record.name)
    return None


def _without_reference(batches: DatumBatches, held_out: HeldOutPairs) -> ReferenceScores:
    numbers = np.asarray(batches.used(), dtype=np.int64)
    return ReferenceScores(
        "none",
        numbers,
        np.zeros((len(numbers), SIDES)),
        np.zeros((len(held_out.datums) // SIDES, SIDES)),
        np.empty(0),
    )


async def _scored(
    ctx: StageContext, reference: SamplingClient, datums: Iterable[Datum], count: int
) -> Logprobs:
    """The summed logprob of each datum's trained tokens `[count]`."""
    watch = Watch(ctx, "scoring by the reference", count)
    sums = np.empty(count)
    done = 0
    for some in _slices(datums):
        sequences = [[int(datum.tokens[0]), *datum.targets.tolist()] for datum in some]
        logprobs = await ctx.wait(reference.compute_logprobs(sequences))
        sums[done : done + len(some)] = answer_logprobs(logprobs, some)
        done += len(some)
        watch(done)
    return sums


def _slices(datums: Iterable[Datum]) -> Iterator[list[Datum]]:
    """The datums in runs of about TOKENS_AT_ONCE tokens."""
    some: list[Datum] = []
    tokens = 0
    for datum in datums:
        some.append(datum)
        tokens += len(datum)
        if tokens >= TOKENS_AT_ONCE:
            yield some
            some, tokens = [], 0
    if some:
        yield some
