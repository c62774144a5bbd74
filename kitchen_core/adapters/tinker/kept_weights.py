"""Weights that the service keeps for good, to be sampled from, also after their model has gone."""

from __future__ import annotations

import asyncio
import secrets

import tinker

from kitchen_core.adapters.tinker.beyond_sdk import unload
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.remote_weights import RemoteWeights


class KeptWeights:
    """A base model, or an adapter of it where there is a note. ttl_s: how long it is kept once more, where
    it has to be.
    """

    def __init__(self, service: Service, base: str, note: RemoteWeights | None, ttl_s: int) -> None:
        self._service = service
        self._base = base
        self._note = note
        self._ttl_s = ttl_s
        self._path = note.sampler if note else None
        self._tried_as_it_is = False
        self._making = asyncio.Lock()
        self._made: list[tinker.TrainingClient] = []

    async def client(self) -> tinker.SamplingClient:
        """The SDK's client for it."""
        return await self._service.make("sampler", self._create)

    async def client_again(self, error: PortError) -> tinker.SamplingClient:
        """Another one, where the service does not know the last one any more.

        The hosted service samples from what it keeps whatever became of the model; others (SkyRL) only
        while they have the model, so next one is made from the adapter's state, and saved anew.
        """
        async with self._making:
            if self._note is not None and self._tried_as_it_is:
                await self._make_model(self._note.training)
            self._tried_as_it_is = not self._tried_as_it_is
        return await self._service.make_again("sampler", self._create)

    async def close(self) -> None:
        """Give back the models that had to be made."""
        while self._made:
            await unload(self._service, str(self._made.pop().model_id))

    def _create(self, service: tinker.ServiceClient) -> tinker.APIFuture[tinker.SamplingClient]:
        if self._path is None:
            return service.create_sampling_client(base_model=self._base)
        return service.create_sampling_client(model_path=self._path)

    async def _make_model(self, state: str) -> None:
        model = await self._service.make_again(
            "sampler", lambda service: service.create_training_client_from_state(state)
        )
        self._made.append(model)
        name = f"sampler-kept-{secrets.token_hex(4)}"
        saving = model.save_weights_for_sampler(name, ttl_seconds=self._ttl_s)
        self._path = (await self._service.result("sampler", saving)).path
