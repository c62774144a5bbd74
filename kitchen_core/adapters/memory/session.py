"""Training sessions over a bigram table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.fingerprint import fingerprint
from kitchen_core.adapters.memory import files
from kitchen_core.adapters.memory.bigram import Bigram, Table
from kitchen_core.adapters.memory.passes import Passes
from kitchen_core.adapters.memory.sampler import MemorySampler
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE, ByteTokenizer
from kitchen_core.adapters.teaching import in_training, not_at_hand
from kitchen_core.adapters.versions import Versions
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.ports.sampling import SamplingClient
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
    from kitchen_core.train.ports.training import CustomLoss

_LIMITS = Limits(vocab_size=VOCAB_SIZE, max_length=4096)


class MemoryTraining:
    """Training sessions that cost nothing."""

    reads_weights = True

    async def start_session(self, spec: SessionSpec) -> MemorySession:
        """Read the table. Raises NotFound or InvalidRequest, each with a hint."""
        thread = ComputeThread("training_client", "memory", _translate)
        try:
            bigram = await thread.submit("start_session", lambda: _start(spec))
            return MemorySession(spec, thread, bigram, await asyncio.to_thread(fingerprint, spec))
        except BaseException:
            await thread.close(lambda: None)
            raise

    async def tokenizer(self, source: ModelSource) -> ByteTokenizer:
        """The tokenizer that a session on this model has."""
        inspect_model_folder(source.folder, weights=False)
        return ByteTokenizer()


class MemorySession:
    """One table in training. `MemoryTraining.start_session` starts one."""

    has_divergence = True

    def __init__(
        self, spec: SessionSpec, thread: ComputeThread, bigram: Bigram, identity: str
    ) -> None:
        self.tokenizer = ByteTokenizer()
        self.fingerprint = identity
        self.context_length = _LIMITS.max_length
        self.device_facts = DeviceFacts("memory", None, psutil.virtual_memory().total)
        self.spec = spec
        self._thread = thread
        self._bigram = bigram
        self._passes = Passes(bigram, _LIMITS)
        self._initial = bigram.trained.copy()
        self._versions = Versions("memory")
        self._teachers: dict[ModelSource, MemorySampler] = {}
        self._sampler = partial(
            MemorySampler, thread=thread, limits=_LIMITS, tokenizer=self.tokenizer
        )

    def forward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs, without a gradient."""
        return self._thread.submit("forward", lambda: self._passes.forward(datums, loss))

    def forward_backward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs; the gradient of the summed loss is added to what has accumulated."""
        return self._thread.submit(
            "forward_backward", lambda: self._passes.forward_backward(datums, loss)
        )

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> Awaitable[ForwardResult]:
        """As `forward_backward`, with a loss written in torch over all datums at once."""
        return self._thread.submit(
            "forward_backward_custom",
            lambda: self._passes.forward_backward_custom(datums, loss_fn),
        )

    def forward_backward_divergence(
        self,
        datums: Sequence[Datum],
        teacher: SamplingClient,
        prompts: Sequence[Sequence[int]],
        divergence: Divergence,
    ) -> Awaitable[ForwardResult]:
        """The exact divergence from a teacher over the whole vocabulary, and its gradient.

        Raises Unsupported where the teacher is not this session's, InvalidRequest where it is live.
        """

        def work() -> ForwardResult:
            if not isinstance(teacher, MemorySampler) or teacher.thread is not self._thread:
                raise not_at_hand()
            if teacher.live:
                raise in_training()
            return self._passes.forward_backward_divergence(
                datums, teacher.table(), prompts, divergence
            )

        return self._thread.submit("forward_backward_divergence", work)

    def optim_step(self, adam: AdamParams) -> Awaitable[OptimResult]:
        """One AdamW step on the accumulated gradient, which is then cleared."""
        self._versions.submit_step()

        def work() -> OptimResult:
            try:
                return self._bigram.step(adam)
            except PortError:
                self._versions.correct(-1)
                raise

        return self._thread.submit("optim_step", work)

    def save_state(self, folder: Path) -> Awaitable[None]:
        """Write the trained table and its moments into an empty folder, for `load_state`."""
        return self._thread.submit("save_state", lambda: files.save_state(folder, self._bigram))

    def load_state(self, folder: Path) -> Awaitable[None]:
        """Put back what `save_state` wrote. Raises NotFound, or InvalidRequest where it does not fit this session."""
        self._versions.submit_change()

        def work() -> None:
            before = self._bigram.steps
            files.load_state(folder, self._bigram)
            self._versions.correct(self._bigram.steps - before)

        return self._thread.submit("load_state", work)

    def export(self, folder: Path) -> Awaitable[None]:
        """Write a model folder, or an adapter folder where one was trained, into an empty folder."""
        lora = self.spec.lora

        def work() -> None:
            if lora is None:
                files.write_model(folder, self._bigram.trained)
            else:
                files.write_adapter(folder, self._bigram.trained, self.spec.model.name, lora)

        return self._thread.submit("export", work)

    def reference(self) -> MemorySampler:
        """The model as the session was started, before any training."""
        return self._sampler(0, lambda: self._whole(self._initial))

    def sampler(self, kind: Literal["live", "snapshot"]) -> MemorySampler:
        """`live` shares the weights and goes stale with the next optimizer step; `snapshot` keeps its own version."""
        version = self._versions.current
        if kind == "live":
            return self._sampler(
                version,
                lambda: self._whole(self._bigram.trained),
                live=True,
                check_fresh=self._versions.freshness(),
            )
        kept: list[Table] = []
        copied = self._thread.submit("snapshot", lambda: kept.append(self._bigram.trained.copy()))

        def table() -> Table:
            if not kept:
                raise PortError("the snapshot is closed", hint="Take a new one.")
            return self._whole(kept[0])

        return self._sampler(version, table, ready=copied, release=kept.clear)

    async def teacher(self, source: ModelSource) -> MemorySampler:
        """Another table, frozen; the same sampler for the same source until it is closed."""
        return await self._thread.submit("teacher", lambda: self._teacher(source))

    async def close(self) -> None:
        """Wait for what was submitted."""
        await self._thread.close(lambda: None)

    def _teacher(self, source: ModelSource) -> MemorySampler:
        if source not in self._teachers:
            kept = [_load(source)]

            def table() -> Table:
                if not kept:
                    raise PortError("the teacher is closed", hint="Ask the session for it again.")
                return kept[0]

            def release() -> None:
                if kept:
                    kept.clear()
                    del self._teachers[source]

            self._teachers[source] = self._sampler(0, table, release=release)
        return self._teachers[source]

    def _whole(self, trained: Table) -> Table:
        """The logits of a version of what is trained."""
        return self._bigram.frozen + trained


def _start(spec: SessionSpec) -> Bigram:
    if spec.lora is None:
        table = _load(spec.model)
        return Bigram(frozen=np.zeros_like(table), trained=table)
    inspect_model_folder(spec.model.folder)
    base = files.read_model(spec.model.folder)
    return Bigram(frozen=base, trained=files.read_adapter(spec.model, spec.lora))


def _load(source: ModelSource) -> Table:
    """A whole table, the source's adapter added."""
    inspect_model_folder(source.folder)
    return files.read_model(source.folder) + files.read_adapter(source, None)


def _translate(error: Exception) -> Exception:
    return error if isinstance(error, OSError) else PortError(f"{type(error).__name__}: {error}")
