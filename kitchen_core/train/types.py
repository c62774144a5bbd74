"""The words of the field as plain data: what is trained on, sampled and returned.

Shapes are written as `[seq]` (one sequence) or `[batch, seq]`. Arrays are numpy, so that this
module costs no torch; an adapter turns them into what its backend wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length"]
LossName = Literal["cross_entropy"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def to_json(self) -> dict[str, str]:
        """The turn as chat templates and datasets spell it."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True, eq=False)
class Datum:
    """One training sequence, already shifted: position `i` of `tokens` predicts `targets[i]`.

    tokens: [seq] what the model reads. targets: [seq] what it should say next. weights: [seq] how
    much each prediction counts in the loss, zero where it does not. extra: further `[seq]` inputs
    that a loss names (sampling logprobs, advantages).
    """

    tokens: IntArray
    targets: IntArray
    weights: FloatArray
    extra: Mapping[str, FloatArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def num_loss_tokens(self) -> int:
        """How many predictions count in the loss."""
        return int(np.count_nonzero(self.weights))


@dataclass(frozen=True, slots=True)
class LossSpec:
    """A loss by name with its options; the backend computes it.

    Losses are sums over tokens and datums.
    """

    name: LossName = "cross_entropy"
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ForwardResult:
    """What a forward pass gives: each datum's target logprobs `[seq]`, and metrics (`loss`, a
    sum).
    """

    logprobs: list[FloatArray]
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class AdamParams:
    """One AdamW step. `grad_clip_norm` 0 leaves the gradient as it is."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0


@dataclass(frozen=True, slots=True)
class OptimResult:
    """What an optimizer step gives: the new version (steps taken) and metrics (`grad_norm`,
    before clipping).
    """

    version: int
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to continue a prompt.

    temperature 0 is greedy. `top_k` -1 and `top_p` 1 leave the distribution whole. `stop` holds
    token ids that end a completion (and belong to it); empty means the tokenizer's end-of-sequence
    token. The same seed, prompts and weights give the same samples.
    """

    max_tokens: int
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One completion: its tokens `[completion]`, and each one's logprob under the model at
    temperature 1.
    """

    tokens: list[int]
    logprobs: FloatArray
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model's weights are: a Hugging Face folder, and a PEFT adapter to start from where
    there is one.

    `name` is what the user would call the base (a hub name, else its content's hash): it goes into
    what is exported, so it must not depend on this machine.
    """

    name: str
    folder: Path
    adapter: Path | None = None


@dataclass(frozen=True, slots=True)
class LoraSpec:
    """A low-rank adapter: `alpha` scales it by `alpha / rank`; `targets` names modules, or all
    linear ones.
    """

    rank: int
    alpha: int = 32
    targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """What a training session is started from. Everything here is fixed for the run's life.

    lora: None trains all weights. micro_batch_size: datums in one backward pass.
    sampling_batch_size: completions decoded together. threads: CPU threads of the compute thread.
    """

    model: ModelSource
    lora: LoraSpec | None
    seed: int
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    micro_batch_size: int = 8
    sampling_batch_size: int = 64


Row = dict[str, Any]
