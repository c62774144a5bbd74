"""The training port: the primitives that every recipe is made of.

A compute call returns an awaitable handle at once, so that callers can pipeline. Calls execute in
the order in which they were made, and `save_state` contains everything that was submitted before
it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.tokenizer import Tokenizer
from kitchen_core.train.types import (
    AdamParams,
    Datum,
    DeviceFacts,
    Divergence,
    ForwardResult,
    LossSpec,
    ModelSource,
    OptimResult,
    SessionSpec,
)

if TYPE_CHECKING:
    from torch import Tensor

    CustomLoss = Callable[[Sequence[Datum], Sequence[Tensor]], tuple[Tensor, dict[str, float]]]
    """From the datums and their target logprobs (each `[seq]`, with gradient) to a scalar loss
    and metrics.
    """


class TrainingSession(Protocol):
    """One model in training."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's own tokenizer."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what the session was started from: weights, adapter settings, seed."""
        ...

    @property
    def spec(self) -> SessionSpec:
        """What the session was started from."""
        ...

    @property
    def context_length(self) -> int:
        """The most tokens that the model can read at once."""
        ...

    @property
    def device_facts(self) -> DeviceFacts:
        """What the session computes on. `flops` over `peak_flops` and the time is the MFU."""
        ...

    @property
    def has_divergence(self) -> bool:
        """Whether `forward_backward_divergence` can be had here."""
        ...

    def forward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs, without a gradient."""
        ...

    def forward_backward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs; the gradient of the summed loss is added to what has
        accumulated.
        """
        ...

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> Awaitable[ForwardResult]:
        """As `forward_backward`, with a loss written in torch over all datums at once. Predictions
        whose weight is 0 need not be looked at: the loss function then sees 0.0 in their places.
        """
        ...

    def forward_backward_divergence(
        self,
        datums: Sequence[Datum],
        teacher: SamplingClient,
        prompts: Sequence[Sequence[int]],
        divergence: Divergence,
    ) -> Awaitable[ForwardResult]:
        """The exact divergence from a teacher over the whole vocabulary, and its gradient.

        The loss is sum(weights * KL) over positions: `reverse_kl` is KL(student || teacher),
        `forward_kl` the other way round. teacher: `reference()`, a snapshot, or one that `teacher` of
        this session gave. prompts: what the teacher reads in place of each datum's prompt, where the
        prompt is all before the first prediction with a weight; the rest of the datum follows.

        The result's logprobs are the student's. Raises Unsupported where the teacher is not at hand.
        """
        ...

    def optim_step(self, adam: AdamParams) -> Awaitable[OptimResult]:
        """One AdamW step on the accumulated gradient, which is then cleared."""
        ...

    def save_state(self, folder: Path) -> Awaitable[None]:
        """Write trained weights and optimizer state into an empty folder, for `load_state`."""
        ...

    def load_state(self, folder: Path) -> Awaitable[None]:
        """Put back what `save_state` wrote.

        Raises InvalidRequest where it does not fit this session.
        """
        ...

    def export(self, folder: Path) -> Awaitable[None]:
        """Write the model for others to load: a Hugging Face folder, or a PEFT adapter where one
        was trained.

        Tokenizer and chat template go with it. Equal weights give equal bytes. A service that can't
        hand out weights writes where it keeps them (`train.remote_weights`) in their place.
        """
        ...

    def reference(self) -> SamplingClient:
        """The model as the session was started, before any training."""
        ...

    async def teacher(self, source: ModelSource) -> SamplingClient:
        """Another model, frozen, beside the one in training: to sample, to score and to be learnt
        from. `version` is 0. Loaded once for each source; `close` gives its memory back.

        Raises as `start_session` does, and Unsupported where its vocabulary is another one.
        """
        ...

    def sampler(self, kind: Literal["live", "snapshot"]) -> SamplingClient:
        """`live` shares the weights and goes stale with the next optimizer step; `snapshot`
        keeps its own version.
        """
        ...

    async def close(self) -> None:
        """Wait for what was submitted, then free the model."""
        ...


class TrainingClient(Protocol):
    """Starts training sessions."""

    @property
    def reads_weights(self) -> bool:
        """Whether it loads a base model's weights from `ModelSource.folder`. A service that has them
        already goes by the model's name, and needs of the folder only tokenizer and config.
        """
        ...

    async def start_session(self, spec: SessionSpec) -> TrainingSession:
        """Load the model. Raises NotFound, InvalidRequest or Unsupported, each with a hint."""
        ...

    async def tokenizer(self, source: ModelSource) -> Tokenizer:
        """The tokenizer that a session on this model has, without loading its weights. Raises as
        `start_session` does.
        """
        ...
