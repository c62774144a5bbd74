"""What the contestants of a race are asked to do, each kind of work a job of its own.

A job travels to the contestants' processes as JSON. This module needs nothing but the standard library.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar
from zlib import crc32

T = TypeVar("T")

ENDLESS = 1_000_000
"""Steps: more than a benchmark asks for."""


class Example(NamedTuple):
    """A sequence `[seq]`, and whether each of its tokens is trained `[seq]`."""

    tokens: list[int]
    trained: list[bool]


class Pair(NamedTuple):
    """Two completions of a prompt, all as tokens."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


@dataclass(frozen=True, kw_only=True)
class Task:
    """Work for contestants. threads: what each may compute on."""

    threads: int = 1

    def write(self, path: Path) -> None:
        """As JSON, for the contestants' processes."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls) -> Self:
        """The job that this process was started with."""
        return cls.restored(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))

    @classmethod
    def restored(cls, fields: dict[str, Any]) -> Self:
        """The job that was written with these fields."""
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class Job(Task):
    """What all trainers do alike: AdamW steps, the gradient clipped at 1, in float32 on a CPU.

    model: a folder. lora_rank: 0 trains all weights.
    """

    model: str
    lora_rank: int = 0
    learning_rate: float = 1e-4
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class SupervisedJob(Job):
    """Cross entropy of `batch_size` examples a step."""

    examples: list[Example]
    batch_size: int

    @classmethod
    def restored(cls, fields: dict[str, Any]) -> Self:
        """The job that was written with these fields."""
        own: dict[str, Any] = {"examples": [Example(*each) for each in fields["examples"]]}
        return cls(**fields | own)

    @property
    def max_length(self) -> int:
        """Tokens of the longest example."""
        return max(len(example.tokens) for example in self.examples)

    @property
    def tokens_a_step(self) -> int:
        """What a batch holds on average, in tokens."""
        return sum(len(e.tokens) for e in self.examples) * self.batch_size // len(self.examples)

    def batches(self) -> list[list[Example]]:
        """The examples in order, an incomplete last batch left out."""
        return _batches(self.examples, self.batch_size)


@dataclass(frozen=True, kw_only=True)
class PreferenceJob(Job):
    """DPO's sigmoid loss over `batch_size` pairs a step. The reference is the model before training,
    and what it says of the pairs is computed before the race.
    """

    pairs: list[Pair]
    batch_size: int
    beta: float = 0.1

    @classmethod
    def restored(cls, fields: dict[str, Any]) -> Self:
        """The job that was written with these fields."""
        own: dict[str, Any] = {"pairs": [Pair(*each) for each in fields["pairs"]]}
        return cls(**fields | own)

    def batches(self) -> list[list[Pair]]:
        """The pairs in order, an incomplete last batch left out."""
        return _batches(self.pairs, self.batch_size)


@dataclass(frozen=True, kw_only=True)
class ReinforcementJob(Job):
    """An on-policy step: `group` completions of each of `prompts_a_step` questions at temperature 1,
    rewards, advantages over the group's mean, and one update by importance sampling.

    ends: whether a completion ends with the model's end token, or is always `max_tokens` long. The
    learning rate is so low that the policy, and with it the length of completions, stays what it is.
    """

    questions: list[str]
    prompts_a_step: int
    group: int
    max_tokens: int
    ends: bool = True
    learning_rate: float = 1e-7

    def batches(self) -> list[list[str]]:
        """The questions in order, an incomplete last batch left out."""
        return _batches(self.questions, self.prompts_a_step)


def reward(text: str) -> float:
    """As good as drawn, from 0 to 1, but the same for the same text: groups whose completions differ
    have advantages, whatever the model has learnt.
    """
    return crc32(text.encode()) / 2**32


def endlessly(batches: list[T]) -> list[T]:
    """The batches over and over, as many as a benchmark can ask for."""
    return list(islice(cycle(batches), ENDLESS))


def _batches(items: list[T], size: int) -> list[list[T]]:
    whole = len(items) // size * size
    return [items[i : i + size] for i in range(0, whole, size)]


@dataclass(frozen=True, kw_only=True)
class MetricJob(Task):
    """Metrics written by the batch, a step each; or, with `points`, one series of so many read whole at every step."""

    series: int = 1
    rows_a_batch: int = 100
    points: int = 0

    def batches(self) -> Iterator[tuple[list[str], range]]:
        """For each batch the names of its series and the steps at which each has a value."""
        names = [f"train/metric_{index}" for index in range(self.series)]
        ahead = self.rows_a_batch // self.series
        return ((names, range(first, first + ahead)) for first in count(1, ahead))
