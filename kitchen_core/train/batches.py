"""Which examples make which batch: a plan that is fixed by the seed and can be entered anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kitchen_core.train import rng


@dataclass(frozen=True)
class BatchPlan:
    """The batches of a run, by index: each epoch shuffles anew, and an incomplete last batch is
    left out.

    A set smaller than one batch gives one batch an epoch, of all its examples.
    """

    num_examples: int
    batch_size: int
    num_epochs: int
    max_steps: int | None
    seed: int

    def __len__(self) -> int:
        steps = self.batches_per_epoch * self.num_epochs
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def __getitem__(self, index: int) -> list[int]:
        """The examples of batch `index`, as indices `[batch]`."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        epoch, batch = divmod(index, self.batches_per_epoch)
        size = min(self.batch_size, self.num_examples)
        order = _shuffled(self.num_examples, self.seed, epoch)
        return [int(i) for i in order[batch * size : (batch + 1) * size]]

    @property
    def batches_per_epoch(self) -> int:
        """Full batches in one pass over the data."""
        return max(1, self.num_examples // self.batch_size)

    def epoch(self, index: int) -> int:
        """The 0-based epoch of batch `index`."""
        return index // self.batches_per_epoch

    @property
    def fingerprint(self) -> str:
        """What the plan depends on."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@lru_cache(maxsize=2)
def _shuffled(num_examples: int, seed: int, epoch: int) -> np.ndarray:
    return rng.stream(seed, "shuffle", epoch).permutation(num_examples)


def split_by_content(keys: Sequence[str], fraction: float) -> tuple[list[int], list[int]]:
    """Indices for training and for testing: about `fraction` of the rows, chosen by each row's own
    hash.

    Equal rows fall on the same side, and a row keeps its side when others come or go. `keys` are
    the rows' canonical texts.
    """
    threshold = int(fraction * 2**64)
    hashes = [int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") for key in keys]
    test = [i for i, value in enumerate(hashes) if value < threshold]
    train = [i for i, value in enumerate(hashes) if value >= threshold]
    return train, test
