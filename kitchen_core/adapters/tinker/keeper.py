"""What a session lets the service keep: states to go on from, weights to sample from, the final adapter."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import tinker

from kitchen_core.adapters.tinker.export import Files, adapter_from_archive, adapter_from_urls
from kitchen_core.adapters.tinker.journal import Sent
from kitchen_core.adapters.tinker.remote_model import RemoteModel
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Unsupported


@dataclass(frozen=True)
class Keeper:
    """Saves one model's weights at the service. ttl_s: how long what is not lasting stays there."""

    service: Service
    model: RemoteModel
    ttl_s: int

    def send_state(self, version: int, *, lasting: bool) -> Sent[tinker.types.SaveWeightsResponse]:
        """Ask for weights and optimizer to be kept, as they are after all that was sent before."""

        def save(
            client: tinker.TrainingClient,
        ) -> tinker.APIFuture[tinker.types.SaveWeightsResponse]:
            return client.save_state(_unique("state", version), ttl_seconds=self._ttl(lasting))

        return self.model.send(save)

    def send_sampler(
        self, version: int, *, lasting: bool
    ) -> Sent[tinker.types.SaveWeightsForSamplerResponse]:
        """Ask for the weights to be kept for sampling.

        The SDK numbers this request only when its own thread gets to it, all others when they are made:
        so nothing may be sent before this has its result. To be given back with `model.forget`.
        """

        def save(
            client: tinker.TrainingClient,
        ) -> tinker.APIFuture[tinker.types.SaveWeightsForSamplerResponse]:
            name = _unique("sampler", version)
            return client.save_weights_for_sampler(name, ttl_seconds=self._ttl(lasting))

        return self.model.send(save, "snapshot")

    async def load(self, path: str) -> None:
        """Go on from a state. Raises NotFound where the service has it no longer."""
        try:
            await self.model.load(path)
        except (NotFound, InvalidRequest) as error:
            raise NotFound(
                f"the server has the state {path} no longer: {error.message}",
                hint="It may have expired: resume from a later checkpoint, and raise checkpoint_days "
                "in the manifest.",
            ) from error.__cause__

    async def adapter(self, sampler: str, version: int) -> Files | None:
        """The trained adapter's files, from an archive of what was saved there or as the hosted service
        writes them for others; None from a server that hands out no weights.
        """
        files = await adapter_from_archive(self.service, sampler)
        if files is not None:
            return files
        name = _unique("external", version)
        sent = self.model.send(lambda client: client.save_weights_external(name))
        try:
            path = (await self.model.result("export", sent)).path
        except (InvalidRequest, NotFound, Unsupported):  # of a model like this, or of any
            return None
        return await adapter_from_urls(self.service, path)

    def _ttl(self, lasting: bool) -> int | None:
        return None if lasting else self.ttl_s


def _unique(kind: str, version: int) -> str:
    """A name that was never used: the server may still have what a model that was lost had saved."""
    return f"{kind}-{version:06d}-{secrets.token_hex(4)}"
