"""Which examples make which batch: a plan that is fixed by the seed and can be entered anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kitchen_core.train import rng
from kitchen_core.train.types import IntArray


@dataclass(frozen=True)
class MixedIn:
    """A set mixed in: the examples that it has, and how many of them every epoch takes."""

    num_examples: int
    per_epoch: int


@dataclass(frozen=True)
class BatchPlan:
    """The batches of a run, by index.

    Every epoch has each example of the dataset once, and of each mixed set the next `per_epoch` of
    its own shuffled order, which is shuffled anew when it has been gone through. The epoch's order
    is shuffled over all of them, and an incomplete last batch is left out; an epoch smaller than one
    batch gives one batch of all its examples.

    Examples are numbered through: the dataset's from 0, then those of each mixed set in turn.
    """

    num_examples: int
    batch_size: int
    num_epochs: int
    max_steps: int | None
    seed: int
    mixed: tuple[MixedIn, ...] = ()

    def __len__(self) -> int:
        steps = self.batches_per_epoch * self.num_epochs
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def __getitem__(self, index: int) -> list[int]:
        """The examples of batch `index`, as indices `[batch]`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        epoch, batch = divmod(index, self.batches_per_epoch)
        size = min(self.batch_size, self.epoch_size)
        return self.of_epoch(epoch)[batch * size : (batch + 1) * size].tolist()

    def of_epoch(self, epoch: int) -> IntArray:
        """All examples of an epoch in its order, as indices `[epoch_size]`."""
        return _epoch_order(self.num_examples, self.mixed, self.seed, epoch)

    @property
    def epoch_size(self) -> int:
        """Examples in one epoch."""
        return self.num_examples + sum(each.per_epoch for each in self.mixed)

    @property
    def batches_per_epoch(self) -> int:
        """Full batches in one epoch."""
        return max(1, self.epoch_size // self.batch_size)

    def epoch(self, index: int) -> int:
        """The 0-based epoch of batch `index`."""
        return index // self.batches_per_epoch

    @property
    def fingerprint(self) -> str:
        """What the plan depends on."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@lru_cache(maxsize=2)
def _epoch_order(num_examples: int, mixed: tuple[MixedIn, ...], seed: int, epoch: int) -> IntArray:
    taken, first = [np.arange(num_examples)], num_examples
    for number, each in enumerate(mixed):
        taken.append(first + _drawn(each, seed, number, epoch))
        first += each.num_examples
    examples = np.concatenate(taken)
    return examples[rng.stream(seed, "shuffle", epoch).permutation(len(examples))]


def _drawn(mixed: MixedIn, seed: int, number: int, epoch: int) -> IntArray:
    """What epoch `epoch` takes of a mixed set: a stretch of all its shuffled orders end to end."""
    start = epoch * mixed.per_epoch
    first_round, skipped = divmod(start, mixed.num_examples)
    rounds = -(-(skipped + mixed.per_epoch) // mixed.num_examples)
    orders = [
        rng.stream(seed, "mix", number, first_round + i).permutation(mixed.num_examples)
        for i in range(rounds)
    ]
    return np.concatenate([np.arange(0), *orders])[skipped : skipped + mixed.per_epoch]


def is_held_out(key: str, fraction: float) -> bool:
    """Whether the row with this canonical text is held out, where about `fraction` of all are.

    The row's own hash decides: equal rows fall on the same side, and a row keeps its side when others
    come or go.
    """
    value = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    return value < int(fraction * 2**64)
