"""The samplers of one session: of the model in training, of what it started from, and of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import tinker

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.tinker.sampling import TinkerSampler
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
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
        self, saved: Awaitable[str], version: int, check_fresh: Callable[[], None] | None
    ) -> TinkerSampler:
        """Of the model in training, as it is saved. check_fresh: of one that goes stale."""

        async def client() -> tinker.SamplingClient:
            path = await saved
            return await self.service.make(
                "sampler", lambda service: service.create_sampling_client(model_path=path)
            )

        if check_fresh is None:
            return self._sampler(client(), version, what="snapshot")
        return self._sampler(client(), version, what="live sampler", check_fresh=check_fresh)

    def kept(self, base: str, note: RemoteWeights | None, what: str) -> TinkerSampler:
        """Of a base model, or of an adapter of it that the service keeps."""
        return self._sampler(self._kept_client(base, note), 0, what=what)

    async def teacher(
        self, source: ModelSource, base: str, note: RemoteWeights | None
    ) -> TinkerSampler:
        """The same one for the same source until it is closed. Raises where the service has it not."""
        if source not in self._teachers:
            client = asyncio.ensure_future(self._kept_client(base, note))
            await client
            self._teachers[source] = self._sampler(
                client,
                0,
                what="teacher",
                release=lambda: self._teachers.pop(source, None) and None,
            )
        return self._teachers[source]

    def _sampler(
        self, client: Awaitable[tinker.SamplingClient], version: int, **how: object
    ) -> TinkerSampler:
        return TinkerSampler(client, version, self.service, self.tokenizer, self.limits, **how)  # type: ignore[arg-type]

    async def _kept_client(self, base: str, note: RemoteWeights | None) -> tinker.SamplingClient:
        def create(service: tinker.ServiceClient) -> tinker.APIFuture[tinker.SamplingClient]:
            if note is None:
                return service.create_sampling_client(base_model=base)
            return service.create_sampling_client(model_path=note.sampler)

        return await self.service.make("sampler", create)
