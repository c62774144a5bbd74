"""The words of the field as plain data: what is trained on, sampled and returned.

Shapes are written as `[seq]` (one sequence) or `[batch, seq]`. Arrays are numpy, so that this
module costs no torch; an adapter turns them into what its backend wants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length"]
LossName = Literal[
    "cross_entropy",
    "importance_sampling",
    "ppo",
    "cispo",
    "dro",
    "gspo",
    "stable_reinforce",
    "reinforce",
]
Divergence = Literal["reverse_kl", "forward_kl"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant asks for. arguments: the text of a JSON object."""

    name: str
    arguments: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    thinking: what the assistant thought before it spoke. tool_calls: what it asked for after.
    name, tool_call_id: of a tool's turn, which tool answered and which call. trainable: whether the
    turn is trained, where the data says so turn by turn (`TrainOnWhat` customized).
    """

    role: Role
    content: str
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    name: str | None = None
    tool_call_id: str | None = None
    trainable: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """The turn as chat templates and datasets spell it; what it has not got is left out."""
        said: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.thinking is not None:
            said["reasoning_content"] = self.thinking
        if self.tool_calls:
            said["tool_calls"] = [_call_to_json(call) for call in self.tool_calls]
        if self.name is not None:
            said["name"] = self.name
        if self.tool_call_id is not None:
            said["tool_call_id"] = self.tool_call_id
        return said


def _call_to_json(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.loads(call.arguments)}
    return {"type": "function", "function": function} | ({"id": call.id} if call.id else {})


@dataclass(frozen=True, slots=True, eq=False)
class Datum:
    """One training sequence, already shifted: position `i` of `tokens` predicts `targets[i]`.

    tokens: [seq] what the model reads. targets: [seq] what it should say next, or [seq, k] several
    that share the weight (soft targets). weights: as targets; how much each prediction counts in the
    loss, zero where it does not. extra: further `[seq]` inputs that a loss names: `logprobs` of who
    sampled the targets, `advantages`.
    """

    tokens: IntArray
    targets: IntArray
    weights: FloatArray
    extra: Mapping[str, FloatArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def counted(self) -> BoolArray:
        """Which predictions count in the loss: `[seq]`."""
        counted = self.weights != 0
        return counted.any(-1) if counted.ndim > 1 else counted

    @property
    def num_loss_tokens(self) -> int:
        """How many predictions count in the loss."""
        return int(np.count_nonzero(self.counted))


@dataclass(frozen=True, slots=True)
class LossSpec:
    """A loss by name with its options; the backend computes it.

    Losses are sums over tokens and datums. The policy losses read `logprobs` and `advantages` of each
    datum's extra; their formulae are in `train.losses`. Options: `clip_low` and `clip_high`, the bounds
    of the ratio, which ppo, cispo, gspo and stable_reinforce need; `beta` of dro. stable_reinforce is
    Tinker's own: its formula is not public, so no other backend has it.
    """

    name: LossName = "cross_entropy"
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ForwardResult:
    """What a forward pass gives: each datum's target logprobs, shaped as its targets, and metrics.

    `forward_backward` need not look at predictions whose weight is 0: their logprobs may be NaN.
    metrics: `loss`, a sum; and what the backend can say of the work, where it can: `flops`,
    `peak_memory_bytes`.
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

    temperature 0 is greedy. `top_k` -1 and `top_p` 1 leave the distribution whole. A completion ends
    with the first token of `stop`, or with the token that completes one of `stop_texts`; what ends
    it belongs to it. Where both are empty, the tokenizer's end-of-sequence tokens end it. The same
    seed, prompts and weights give the same samples.
    """

    max_tokens: int
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[int, ...] = ()
    stop_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One completion: its tokens `[completion]`, and each one's logprob under the model at
    temperature 1.
    """

    tokens: list[int]
    logprobs: FloatArray
    stop_reason: StopReason


@dataclass(frozen=True, slots=True)
class SampledToken:
    """One token of a completion under way: its id, the text that it adds, and its logprob at
    temperature 1. stop_reason: why the completion ends with it, if it does.

    Control tokens add no text. A character that several tokens spell comes with the last of them.
    """

    token: int
    text: str
    logprob: float
    stop_reason: StopReason | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TopLogprobs:
    """The likeliest next tokens at each position of a sequence: ids and logprobs, both `[seq - 1, k]`,
    the likeliest first; of equals the lowest ids. Row `i` is about token `i + 1`.
    """

    tokens: IntArray
    logprobs: FloatArray


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

    lora: None trains all weights. micro_batch_tokens: tokens in one backward pass; a longer datum
    has one of its own. packing: lay documents end to end, isolated from each other, rather than
    padded side by side; it changes no gradient. gradient_checkpointing: compute activations again
    in the backward pass rather than keep them. deterministic: on a GPU too, the same bytes from the
    same seed. sampling_batch_size: completions decoded together.
    threads: CPU threads of the compute thread.
    """

    model: ModelSource
    lora: LoraSpec | None
    seed: int
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = 1
    micro_batch_tokens: int = 4096
    packing: bool = True
    gradient_checkpointing: bool = False
    deterministic: bool = False
    sampling_batch_size: int = 64


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a session computes on. peak_flops: floating-point operations a second at best, in the
    precision of training; memory_bytes: all that there is; each None where it is not known, as of a
    service.
    """

    name: str
    peak_flops: float | None
    memory_bytes: int | None


Row = dict[str, Any]
