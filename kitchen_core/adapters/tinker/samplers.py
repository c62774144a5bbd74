"""The samplers of one session: of the model in training, of what it started from, and of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import tinker

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.tinker.sampling import TinkerSampler
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tinker.snapshot import Snapshot
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.remote_weights import RemoteWeights
from kitchen_core.train.types import ModelSource


@dataclass(frozen=True)
class Samplers:
    """Makes samplers of weights that the service keeps: they lie there as files, and outlive the model."""

    service: Service
    tokenizer: HuggingFaceTokenizer
    limits: Limits
    _teachers: dict[ModelSource, TinkerSampler] = field(default_factory=dict)

    def trained(
        self, saved: Awaitable[Snapshot], version: int, check_fresh: Callable[[], None] | None
    ) -> TinkerSampler:
        """Of the model in training, as it is saved. check_fresh: of one that goes stale."""
        saving = asyncio.ensure_future(saved)

        async def client() -> tinker.SamplingClient:
            return await (await saving).client()

        async def again(error: PortError) -> tinker.SamplingClient:
            return await (await saving).client_again(error)

        def release() -> None:
            saving.add_done_callback(_release)

        return TinkerSampler(
            client(),
            version,
            self.service,
            self.tokenizer,
            self.limits,
            what="live sampler" if check_fresh else "snapshot",
            check_fresh=check_fresh or _nothing,
            release=release,
            again=again,
        )

    def kept(self, base: str, note: RemoteWeights | None, what: str) -> TinkerSampler:
        """Of a base model, or of an adapter of it that the service keeps."""
        return self._kept(base, note, what, self._client(base, note), _nothing)

    async def teacher(
        self, source: ModelSource, base: str, note: RemoteWeights | None
    ) -> TinkerSampler:
        """The same one for the same source until it is closed. Raises where the service has it not."""
        if source not in self._teachers:
            client = asyncio.ensure_future(self._client(base, note))
            await client

            def release() -> None:
                self._teachers.pop(source, None)

            self._teachers[source] = self._kept(base, note, "teacher", client, release)
        return self._teachers[source]

    def _kept(
        self,
        base: str,
        note: RemoteWeights | None,
        what: str,
        client: Awaitable[tinker.SamplingClient],
        release: Callable[[], None],
    ) -> TinkerSampler:
        async def again(error: PortError) -> tinker.SamplingClient:
            return await self._client(base, note)

        return TinkerSampler(
            client,
            0,
            self.service,
            self.tokenizer,
            self.limits,
            what=what,
            release=release,
            again=again,
        )

    async def _client(self, base: str, note: RemoteWeights | None) -> tinker.SamplingClient:
        def create(service: tinker.ServiceClient) -> tinker.APIFuture[tinker.SamplingClient]:
            if note is None:
                return service.create_sampling_client(base_model=base)
            return service.create_sampling_client(model_path=note.sampler)

        return await self.service.make("sampler", create)


def _nothing() -> None:
    """Nothing is held here, and nothing goes stale."""


def _release(saved: asyncio.Future[Snapshot]) -> None:
    if not saved.cancelled() and saved.exception() is None:
        saved.result().release()
