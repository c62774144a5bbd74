"""Reading without a gradient: datums a micro-batch at a time, logits a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kitchen_core.adapters.torch_local.choosing import highest
from kitchen_core.adapters.torch_local.costs.chunks import CHUNK_LOGITS
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch, Predictions, picked
from kitchen_core.adapters.torch_local.parts import Parts
from kitchen_core.adapters.torch_local.results import Results, put_back
from kitchen_core.train.losses import target_logprobs
from kitchen_core.train.packing import MicroBatchPlan, packed_micro_batches, padded_micro_batches
from kitchen_core.train.trees import grow_trees, lone_trees
from kitchen_core.train.types import (
    BoolArray,
    Datum,
    FloatArray,
    ForwardResult,
    IntArray,
    TopLogprobs,
)

_MASKED = 3.0
"""How much longer a pair takes where a mask says which are seen."""
_LARGEST_TREE = 2048
"""The most tokens of a tree: its mask stays at 4 MB."""


class Reader:
    """Reads with one model. `chunk` is how many predictions go through the head at once."""

    def __init__(
        self,
        parts: Parts,
        flops: Flops,
        *,
        micro_batch_tokens: int,
        packing: bool = True,
        logits_at_a_time: int | None = None,
    ) -> None:
        self.parts = parts
        self.flops = flops
        self._packing = packing and parts.isolates
        # A GPU's fused kernels know no trees, and are worth more than what these would save.
        self._sharing = packing and parts.shares and parts.device.type == "cpu"
        alone = not (self._packing or parts.pads)
        self._micro_batch_tokens = 1 if alone else micro_batch_tokens
        at_a_time = logits_at_a_time or CHUNK_LOGITS[parts.device.type]
        self.chunk = max(1, at_a_time // parts.vocab_size)

    def micro_batches(
        self, datums: Sequence[Datum], lengths: Sequence[int]
    ) -> Iterator[MicroBatch]:
        """The first `lengths[i]` tokens of each datum, where that is any."""
        read = [index for index, length in enumerate(lengths) if length]
        for plan in self._plans([datums[index].tokens[: lengths[index]] for index in read]):
            own = replace(plan, indices=tuple(read[i] for i in plan.indices))
            yield MicroBatch.of(own, lengths, datums, self.parts.device)

    def _plans(self, documents: Sequence[IntArray]) -> list[MicroBatchPlan]:
        """Packed where the model can be, and what several begin with read once where that pays."""
        budget = self._micro_batch_tokens
        if not self._packing:
            return padded_micro_batches([len(document) for document in documents], budget)
        if not self._sharing:
            return packed_micro_batches(lone_trees(documents), budget)
        pairs_a_token = self.flops.pairs_a_token / _MASKED
        largest = min(budget, _LARGEST_TREE)
        return packed_micro_batches(
            grow_trees(documents, pairs_a_token=pairs_a_token, largest=largest), budget
        )

    def score(self, hidden: Tensor, predictions: Predictions) -> Tensor:
        """The logprobs of the predictions' targets, shaped as these, a chunk at a time."""
        states = picked(hidden, predictions).split(self.chunk)
        targets = predictions.targets.split(self.chunk)
        chunks = zip(states, targets, strict=True)
        return torch.cat([target_logprobs(self.parts.logits(s), t) for s, t in chunks])

    @torch.no_grad()
    def scored(
        self,
        datums: Sequence[Datum],
        batches: Iterable[MicroBatch] | None = None,
        counted: Sequence[BoolArray] | None = None,
    ) -> ForwardResult:
        """The logprobs of all targets; or of `counted`, where these micro-batches read so far."""
        results = Results(datums)
        if batches is None:
            batches = self.micro_batches(datums, [len(datum) for datum in datums])
        for batch in batches:
            predictions = batch.predictions(datums, counted=counted)
            logprobs = self.score(self.parts.hidden(batch), predictions)
            flops = self.flops.forward(batch.lengths, len(predictions), batch.shared)
            results.add(batch, predictions, logprobs, flops)
        return results.result(self.parts.device)

    def sequence_logprobs(self, sequences: Sequence[IntArray]) -> list[FloatArray]:
        """Each token's logprob but the first's, `[seq - 1]`."""
        scored = iter(self.scored(_datums_of(sequences)).logprobs)
        return [next(scored) if len(s) > 1 else np.empty(0, np.float32) for s in sequences]

    @torch.no_grad()
    def top_logprobs(self, sequences: Sequence[IntArray], k: int) -> list[TopLogprobs]:
        """The `k` likeliest tokens at each position but the last, likeliest first; of equals the
        lowest ids.
        """
        k = min(k, self.parts.vocab_size)
        datums = _datums_of(sequences)
        batches: list[tuple[MicroBatch, Predictions]] = []
        tokens, logprobs = [], []
        for batch in self.micro_batches(datums, [len(datum) for datum in datums]):
            predictions = batch.predictions(datums)
            batches.append((batch, predictions))
            for states in picked(self.parts.hidden(batch), predictions).split(self.chunk):
                found = _likeliest(self.parts.logits(states), k)
                tokens.append(found[0])
                logprobs.append(found[1])
        if not batches:
            tokens, logprobs = [torch.empty(0, k, dtype=torch.int64)], [torch.empty(0, k)]
        lengths = [len(datum) for datum in datums]
        rows = zip(
            put_back(lengths, batches, torch.cat(tokens)),
            put_back(lengths, batches, torch.cat(logprobs)),
            strict=True,
        )
        nothing = TopLogprobs(np.empty((0, k), np.int64), np.empty((0, k), np.float32))
        return [TopLogprobs(*next(rows)) if len(s) > 1 else nothing for s in sequences]

    @torch.no_grad()
    def states(self, datums: Sequence[Datum]) -> tuple[Tensor, float]:
        """The hidden states `[n, hidden]` from which the predictions that count are made, datum after
        datum, and what they took in floating-point operations.
        """
        counted = [datum.counted for datum in datums]
        found: dict[int, Tensor] = {}
        flops = 0.0
        for batch in self.micro_batches(datums, [reach(row) for row in counted]):
            predictions = batch.predictions(datums, counted=counted)
            flops += self.flops.forward(batch.lengths, len(predictions), batch.shared)
            states = picked(self.parts.hidden(batch), predictions)
            sizes = [int(counted[index].sum()) for index in batch.indices]
            found |= zip(batch.indices, states.split(sizes), strict=True)
        return torch.cat([found[index] for index in sorted(found)]), flops


def reach(counted: BoolArray) -> int:
    """How many tokens are read for the predictions that count: up to the last of them."""
    places = counted.nonzero()[0]
    return int(places[-1]) + 1 if len(places) else 0


def _datums_of(sequences: Sequence[IntArray]) -> list[Datum]:
    """Every token but the first as a prediction; a token alone predicts nothing."""
    ones = [np.ones(len(s) - 1, np.float32) for s in sequences]
    return [Datum(s[:-1], s[1:], w) for s, w in zip(sequences, ones, strict=True) if len(s) > 1]


def _likeliest(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Ids and logprobs of the `k` highest of `[n, vocab]`, both `[n, k]`, the highest first."""
    logits = logits if logits.dtype.itemsize > 4 else logits.float()
    ids = torch.arange(logits.shape[-1], device=logits.device).expand_as(logits)
    if k < logits.shape[-1]:
        ids = ids[highest(logits, k)].view(-1, k)  # row by row, ids rising
    values, order = logits.gather(-1, ids).sort(dim=-1, descending=True, stable=True)
    return ids.gather(-1, order), values - logits.logsumexp(-1, keepdim=True)
