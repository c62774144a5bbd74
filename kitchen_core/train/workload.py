"""What a run will do, in numbers, and what that costs: the question and the answer of a quote.

The daemon asks; the adapter that trains answers, for it alone knows what it allocates and computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kitchen_core.train.model_shape import ModelShape


@dataclass(frozen=True, slots=True)
class Documents:
    """Sequences that are read together.

    tokens, spread, longest: how long they are, in the mean, its standard deviation, and at most. shared:
    how many first tokens of each are read with another. scored: the share of their tokens whose
    prediction goes through the output layer.
    """

    count: int
    tokens: float
    longest: int
    spread: float = 0.0
    shared: float = 0.0
    scored: float = 1.0

    @property
    def total(self) -> float:
        """Tokens read, in the mean."""
        return self.count * max(self.tokens - self.shared, 1.0)

    @property
    def most(self) -> float:
        """Tokens read in one batch of many: two standard deviations above the mean."""
        return self.total + 2 * self.spread * self.count**0.5


@dataclass(frozen=True, slots=True)
class Completions:
    """Answers that are sampled together. rows: how many, to `prompts` different prompts.

    prompt, tokens: how long prompts and answers are in the mean; longest: an answer at most.
    """

    rows: int
    prompts: int
    prompt: float
    longest_prompt: int
    tokens: float
    longest: int


@dataclass(frozen=True, slots=True)
class Work:
    """What is done at one point of a run. trained: with a gradient; read: without; updates: optimizer steps.

    taught: read by each teacher.
    """

    trained: tuple[Documents, ...] = ()
    read: tuple[Documents, ...] = ()
    sampled: tuple[Completions, ...] = ()
    taught: tuple[Documents, ...] = ()
    updates: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """How a model is trained: the settings that decide what is allocated. lora_rank 0: all weights."""

    device: Literal["cpu", "cuda"]
    threads: int
    lora_rank: int
    lora_targets: tuple[str, ...]
    micro_batch_tokens: int
    packing: bool
    gradient_checkpointing: bool
    sampling_batch_size: int


@dataclass(frozen=True, slots=True)
class Device:
    """What it is computed on. memory_bytes: all of it."""

    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A run. start: once before the first step. evaluation: each of `evaluations`. saves: checkpoints.

    teachers: models beside the one in training, all the time; reference: one that is there before the
    first step only. copies: further versions of the trained weights that are kept. rows: of data to prepare.
    """

    model: ModelShape
    method: Method
    step: Work
    steps: int
    start: Work = Work()
    evaluation: Work = Work()
    evaluations: int = 0
    saves: int = 0
    teachers: tuple[ModelShape, ...] = ()
    reference: ModelShape | None = None
    copies: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run takes. memory: bytes by part, at the moment when it is most; None: nobody can tell. Seconds:
    of a step; and of everything else together (start, evaluations, checkpoints, the end).
    """

    memory: Mapping[str, int] | None
    seconds_a_step: float | None
    other_seconds: float | None
    notes: tuple[str, ...] = field(default=())

    @property
    def memory_bytes(self) -> int | None:
        """All parts together."""
        return None if self.memory is None else sum(self.memory.values())
