"""One model in training: the primitives, each on the session's compute thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kitchen_core.adapters.checks import check_inputs, check_single_targets
from kitchen_core.adapters.compute_thread import ComputeThread
from kitchen_core.adapters.fingerprint import fingerprint
from kitchen_core.adapters.process_memory import give_back_what_is_free
from kitchen_core.adapters.teaching import taught_datums
from kitchen_core.adapters.torch_local.device import device_facts
from kitchen_core.adapters.torch_local.engine import Engine
from kitchen_core.adapters.torch_local.export import export_model
from kitchen_core.adapters.torch_local.failures import translate
from kitchen_core.adapters.torch_local.loading import LoadedModel, load_model
from kitchen_core.adapters.torch_local.optimizer import Optimizer
from kitchen_core.adapters.torch_local.quiet import quiet
from kitchen_core.adapters.torch_local.sampler import TorchSampler
from kitchen_core.adapters.torch_local.samplers import Samplers
from kitchen_core.adapters.torch_local.sources import check_source
from kitchen_core.adapters.torch_local.state import load_state, save_state
from kitchen_core.adapters.torch_local.teachers import Teachers
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.adapters.versions import Versions
from kitchen_core.train.losses import Loss, find_loss
from kitchen_core.train.losses.divergence import check_divergence
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.types import (
    AdamParams,
    Datum,
    Divergence,
    ForwardResult,
    LossSpec,
    ModelSource,
    OptimResult,
    SessionSpec,
)

if TYPE_CHECKING:
    from kitchen_core.train.ports.training import CustomLoss


class TorchSession:
    """A model, its optimizer and its samplers. `TorchLocal.start_session` starts one."""

    has_divergence = True

    def __init__(
        self,
        spec: SessionSpec,
        thread: ComputeThread,
        loaded: LoadedModel,
        tokenizer: HuggingFaceTokenizer,
        identity: str,
    ) -> None:
        self.tokenizer = tokenizer
        self.fingerprint = identity
        self.spec = spec
        self._thread = thread
        self._loaded = loaded
        self._optimizer = Optimizer(loaded.trained)
        self.context_length = loaded.limits.max_length
        self.device_facts = device_facts(loaded.device)
        self._engine = Engine.of(loaded, tokenizer, spec)
        self._teachers = Teachers(spec, thread, loaded.parts, tokenizer)
        self._versions = Versions("torch_local")
        self._samplers = Samplers(thread, loaded, self._engine, self._versions)

    @classmethod
    async def start(cls, spec: SessionSpec) -> TorchSession:
        """Load model and tokenizer on the session's own thread, and hash what it starts from beside it."""
        thread = ComputeThread("training_client", "torch_local", translate)
        hashing = asyncio.create_task(asyncio.to_thread(fingerprint, spec))
        try:
            loaded, tokenizer = await thread.submit("start_session", lambda: _load(spec))
            return cls(spec, thread, loaded, tokenizer, await hashing)
        except BaseException:
            hashing.cancel()
            await thread.close(lambda: None)
            raise

    def forward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs, without a gradient."""

        def work() -> ForwardResult:
            return self._engine.passes.forward(datums, self._checked(datums, loss))

        return self._thread.submit("forward", work)

    def forward_backward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and the logprobs of the predictions with a weight, NaN for the others; the gradient of
        the summed loss is added to what has accumulated.

        A call that fails half-way leaves no gradient at all.
        """

        def work() -> ForwardResult:
            checked = self._checked(datums, loss)
            with self._no_half_gradient():
                return self._engine.passes.forward_backward(datums, checked)

        return self._thread.submit("forward_backward", work)

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> Awaitable[ForwardResult]:
        """As `forward_backward`, with a loss written in torch over all datums at once."""

        def work() -> ForwardResult:
            self._loaded.limits.check_datums(datums)
            check_single_targets("a custom loss", datums)
            with self._no_half_gradient():
                return self._engine.passes.forward_backward_custom(datums, loss_fn)

        return self._thread.submit("forward_backward_custom", work)

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
            check_divergence(divergence)
            self._loaded.limits.check_datums(datums)
            check_single_targets(divergence, datums)
            taught = taught_datums(datums, prompts)
            opened = self._teachers.opened(teacher)
            with opened() as engine:
                engine.limits.check_datums(taught, "the teacher's datum")
            with self._no_half_gradient():
                passes = self._engine.passes
                return passes.forward_backward_divergence(datums, opened, taught, divergence)

        return self._thread.submit("forward_backward_divergence", work)

    def optim_step(self, adam: AdamParams) -> Awaitable[OptimResult]:
        """One AdamW step on the accumulated gradient, which is then cleared. Live samplers go stale at once."""
        self._versions.submit_step()

        def work() -> OptimResult:
            try:
                return self._optimizer.step(adam)
            except Exception:
                self._versions.correct(-1)
                raise

        return self._thread.submit("optim_step", work)

    def save_state(self, folder: Path) -> Awaitable[None]:
        """Write trained weights and optimizer state into an empty folder, for `load_state`.

        A gradient that has not been stepped on is not part of it.
        """
        return self._thread.submit(
            "save_state", lambda: save_state(folder, self._loaded.trained, self._optimizer)
        )

    def load_state(self, folder: Path) -> Awaitable[None]:
        """Put back what `save_state` wrote. Raises NotFound, or InvalidRequest where it does not fit this session."""
        self._versions.submit_change()

        def work() -> None:
            before = self._optimizer.steps
            load_state(folder, self._loaded.trained, self._optimizer)
            self._versions.correct(self._optimizer.steps - before)

        return self._thread.submit("load_state", work)

    def export(self, folder: Path) -> Awaitable[None]:
        """Write a Hugging Face folder, or a PEFT adapter where one was trained, into an empty folder."""
        return self._thread.submit(
            "export", lambda: export_model(folder, self._loaded.model, self.spec.model)
        )

    def reference(self) -> TorchSampler:
        """The model as the session was started, before any training."""
        return self._samplers.reference()

    def sampler(self, kind: Literal["live", "snapshot"]) -> TorchSampler:
        """`live` shares the weights and goes stale with the next optimizer step; `snapshot` keeps its own version."""
        return self._samplers.live() if kind == "live" else self._samplers.snapshot()

    async def teacher(self, source: ModelSource) -> TorchSampler:
        """Another model, frozen, on this session's device and compute thread; the same sampler for the
        same source until it is closed.
        """
        await asyncio.to_thread(check_source, source)
        return await self._thread.submit("teacher", lambda: self._teachers.sampler(source))

    async def close(self) -> None:
        """Wait for what was submitted, then free the model and its teachers."""
        await self._thread.close(self._free)

    def _checked(self, datums: Sequence[Datum], spec: LossSpec) -> Loss:
        """The loss, where it can be computed of these datums."""
        loss = find_loss(spec)
        self._loaded.limits.check_datums(datums)
        check_inputs(loss, datums)
        return loss

    @contextmanager
    def _no_half_gradient(self) -> Iterator[None]:
        """A pass that fails may have added a part of its gradient: then all of it is dropped."""
        try:
            yield
        except Exception:
            self._optimizer.clear_gradient()
            raise

    def _free(self) -> None:
        """Drop every tensor, also for those who still hold a sampler, and give their memory back."""
        self._teachers.free()
        self._samplers.free()
        self._loaded.model.to("meta")
        del self._loaded, self._optimizer
        give_back_what_is_free()


def _load(spec: SessionSpec) -> tuple[LoadedModel, HuggingFaceTokenizer]:
    with quiet():
        return load_model(spec), HuggingFaceTokenizer(spec.model.folder)
