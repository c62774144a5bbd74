"""The weights of one moment of the training, to be sampled from, also after the model was lost."""

from __future__ import annotations

import tinker

from kitchen_core.adapters.tinker.journal import Sent
from kitchen_core.adapters.tinker.remote_model import RemoteModel
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import PortError


class Snapshot:
    """What was saved for a sampler. sent: the request that saved it, with its place in the order."""

    def __init__(
        self,
        service: Service,
        model: RemoteModel,
        sent: Sent[tinker.types.SaveWeightsForSamplerResponse],
    ) -> None:
        self._service = service
        self._model = model
        self._sent = sent
        self._generation = model.generation
        self._tried_as_it_is = False

    async def client(self) -> tinker.SamplingClient:
        """The SDK's client for it."""
        path = (await self._model.result("sampler", self._sent)).path
        self._generation = self._model.generation
        return await self._service.make_again(
            "sampler", lambda service: service.create_sampling_client(model_path=path)
        )

    async def client_again(self, error: PortError) -> tinker.SamplingClient:
        """Another one, where the service does not know the last one any more.

        What was saved lies there as files, which the hosted service can sample from whatever became of
        the model; others (SkyRL) only while they have the model, so next the model is made again,
        and saved again at the same point. Raises `error` where it has moved past that point in a saved
        state.
        """
        if self._generation == self._model.generation:
            if self._tried_as_it_is:
                if not self._model.holds(self._sent):
                    raise error
                self._model.lose(self._generation, error)
            self._tried_as_it_is = not self._tried_as_it_is
        return await self.client()

    def release(self) -> None:
        """It is not needed any more."""
        self._model.forget(self._sent)
