"""One model in training at a Tinker service: the primitives, each in its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kitchen_core.adapters.checks import Limits, make_empty_folder
from kitchen_core.adapters.tinker import bases
from kitchen_core.adapters.tinker.export import write_adapter
from kitchen_core.adapters.tinker.keeper import Keeper
from kitchen_core.adapters.tinker.lane import Lane, Turn
from kitchen_core.adapters.tinker.lora import no_divergence
from kitchen_core.adapters.tinker.passes import Passes
from kitchen_core.adapters.tinker.remote_model import RemoteModel
from kitchen_core.adapters.tinker.samplers import Samplers
from kitchen_core.adapters.tinker.sampling import TinkerSampler
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tinker.snapshot import Snapshot
from kitchen_core.adapters.tinker.state import SavedState, read_state
from kitchen_core.adapters.tinker.steps import Steps
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.adapters.versions import Versions
from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.remote_weights import RemoteWeights
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


@dataclass(frozen=True)
class Start:
    """What a session starts from.

    base: what the service calls the base. note: where it keeps the adapter to go on from. base_model: the
    manifest's option. models: the service's models with their context lengths. ttl_s: how long it keeps
    what the run needs to go on.
    """

    spec: SessionSpec
    base: str
    note: RemoteWeights | None
    base_model: str | None
    models: Mapping[str, int | None]
    limits: Limits
    ttl_s: int
    identity: str

    @property
    def rank(self) -> int:
        """The adapter's rank."""
        return self.spec.lora.rank if self.spec.lora else 0


class TinkerSession:
    """A model at the service and its samplers. `TinkerTraining.start_session` starts one."""

    has_divergence = False

    def __init__(
        self,
        start: Start,
        service: Service,
        tokenizer: HuggingFaceTokenizer,
        model: RemoteModel,
    ) -> None:
        self.tokenizer = tokenizer
        self.fingerprint = start.identity
        self.spec = start.spec
        self.context_length = start.limits.max_length
        self.device_facts = DeviceFacts("Tinker", None, None)
        self._start = start
        self._service = service
        self._model = model
        self._keeper = Keeper(service, model, start.ttl_s)
        self._lane = Lane()
        self._samplers = Samplers(service, tokenizer, start.limits, start.ttl_s)
        self._versions = Versions("tinker")
        self._steps = Steps(model, self._versions)
        self._passes = Passes(model, start.limits, self._steps.gradient_is_coming)

    def forward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs, without a gradient."""
        return self._lane.submit("forward", lambda turn: self._passes.forward(turn, datums, loss))

    def forward_backward(self, datums: Sequence[Datum], loss: LossSpec) -> Awaitable[ForwardResult]:
        """Loss and target logprobs; the gradient of the summed loss is added to what has accumulated."""
        return self._lane.submit(
            "forward_backward", lambda turn: self._passes.forward_backward(turn, datums, loss)
        )

    def forward_backward_custom(
        self, datums: Sequence[Datum], loss_fn: CustomLoss
    ) -> Awaitable[ForwardResult]:
        """As `forward_backward`, with a loss written in torch over all datums at once: it is computed here,
        between a forward pass and a backward pass at the service.
        """
        return self._lane.submit(
            "forward_backward_custom",
            lambda turn: self._passes.forward_backward_custom(turn, datums, loss_fn),
        )

    def forward_backward_divergence(
        self,
        datums: Sequence[Datum],
        teacher: SamplingClient,
        prompts: Sequence[Sequence[int]],
        divergence: Divergence,
    ) -> Awaitable[ForwardResult]:
        """Not to be had: the service gives no logits. The handle raises Unsupported."""

        async def refuse(turn: Turn) -> ForwardResult:
            raise no_divergence()

        return self._lane.submit("forward_backward_divergence", refuse)

    def optim_step(self, adam: AdamParams) -> Awaitable[OptimResult]:
        """One AdamW step on the accumulated gradient, which is then cleared. Live samplers go stale at once."""
        self._versions.submit_step()
        return self._lane.submit("optim_step", lambda turn: self._steps.take(turn, adam))

    def save_state(self, folder: Path) -> Awaitable[None]:
        """Let the service keep trained weights and optimizer, and write where into an empty folder.

        A gradient that has not been stepped on is not part of it. The service forgets it after the
        manifest's checkpoint_days.
        """
        version = self._versions.current
        return self._lane.submit("save_state", lambda turn: self._save_state(turn, folder, version))

    def load_state(self, folder: Path) -> Awaitable[None]:
        """Put back what `save_state` wrote. Raises NotFound, also where the service has forgotten it, or
        InvalidRequest where it does not fit this session.
        """
        self._versions.submit_change()
        return self._lane.submit("load_state", lambda turn: self._load_state(turn, folder))

    def export(self, folder: Path) -> Awaitable[None]:
        """Write an adapter folder into an empty folder: the weights, where the service hands them out, and
        where it keeps them, for ever.
        """
        version = self._versions.current
        return self._lane.submit("export", lambda turn: self._export(turn, folder, version))

    def reference(self) -> TinkerSampler:
        """The model as the session was started, before any training."""
        return self._samplers.kept(self._start.base, self._start.note, "reference")

    def sampler(self, kind: Literal["live", "snapshot"]) -> TinkerSampler:
        """Of the weights in this turn; `live` goes stale with the next optimizer step."""
        version = self._versions.current
        saved = self._lane.submit("sampler", lambda turn: self._save_for_sampler(turn, version))
        fresh = self._versions.freshness() if kind == "live" else None
        return self._samplers.trained(saved, version, fresh)

    async def teacher(self, source: ModelSource) -> TinkerSampler:
        """Another model at the service, by its name or by its adapter's note."""
        await asyncio.to_thread(
            bases.check_vocabulary, source, self.spec.model.name, self.tokenizer.vocab_size
        )
        own = source.name == self.spec.model.name
        base = bases.base_name(source, self._start.base_model if own else None)
        bases.check_known(base, self._start.models)
        note = await asyncio.to_thread(bases.adapter_note, source)
        return await self._samplers.teacher(source, base, note)

    async def close(self) -> None:
        """Wait for what was submitted, then give the model back."""
        if not self._lane.closed:
            self._samplers.closed = True
            await self._lane.close()
            await self._samplers.give_back()
            await self._model.close()

    async def _save_state(self, turn: Turn, folder: Path, version: int) -> None:
        async with turn:
            await asyncio.to_thread(make_empty_folder, folder)
            through = self._model.last_step()
            sent = self._keeper.send_state(version, lasting=False)
        path = (await self._model.result("save_state", sent)).path
        await turn.earlier_calls_are_done()  # they are sent again no more
        self._model.saved(path, through)
        state = SavedState(path, self._steps.taken, self._start.base, self._start.rank)
        await asyncio.to_thread(state.write, folder)

    async def _load_state(self, turn: Turn, folder: Path) -> None:
        async with turn:
            state = await asyncio.to_thread(read_state, folder)
            state.check_fit(folder, self._start.base, self._start.rank)
            await turn.earlier_calls_are_done()  # they belong to the model that is replaced
            await self._keeper.load(state.path)
            self._steps.go_on_from(state.steps)

    async def _export(self, turn: Turn, folder: Path, version: int) -> None:
        async with turn:  # to the end: all that is saved here is of one moment
            await asyncio.to_thread(make_empty_folder, folder)
            kept = self._keeper.send_state(version, lasting=True)
            sampled = self._keeper.send_sampler(version, lasting=True)
            sampler = (await self._model.result("export", sampled)).path
            self._model.forget(sampled)
            training = (await self._model.result("export", kept)).path
            note = RemoteWeights(bases.KEPT_BY, self._start.base, training, sampler)
            files = await self._keeper.adapter(sampler, version)
        source, rank = self.spec.model, self._start.rank
        await asyncio.to_thread(write_adapter, folder, source, rank, note, files)

    async def _save_for_sampler(self, turn: Turn, version: int) -> Snapshot:
        """The weights of this turn, as the service keeps them."""
        async with turn:
            sent = self._keeper.send_sampler(version, lasting=False)
            await self._model.result("sampler", sent)
        return Snapshot(self._service, self._model, sent)
