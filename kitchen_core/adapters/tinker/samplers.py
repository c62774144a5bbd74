"""The samplers of one session: of the model in training, of what it started from, and of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import tinker

from kitchen_core.adapters.checks import Limits
from kitchen_core.adapters.tinker.kept_weights import KeptWeights
from kitchen_core.adapters.tinker.sampling import TinkerSampler
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.tinker.snapshot import Snapshot
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.remote_weights import RemoteWeights
from kitchen_core.train.types import ModelSource


@dataclass
class Samplers:
    """Makes samplers of weights that the service keeps. `closed` ends all of them.

    ttl_s: how long they are kept, where they are kept for sampling alone.
    """

    service: Service
    tokenizer: HuggingFaceTokenizer
    limits: Limits
    ttl_s: int
    closed: bool = False
    _all_kept: dict[tuple[str, RemoteWeights | None], KeptWeights] = field(default_factory=dict)
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

        def check() -> None:
            self._check_open()
            if check_fresh:
                check_fresh()

        def release() -> None:
            saving.add_done_callback(_release)

        return TinkerSampler(
            client(),
            version,
            self.service,
            self.tokenizer,
            self.limits,
            what="live sampler" if check_fresh else "snapshot",
            check_fresh=check,
            release=release,
            again=again,
        )

    def kept(self, base: str, note: RemoteWeights | None, what: str) -> TinkerSampler:
        """Of a base model, or of an adapter of it that the service keeps."""
        weights = self._weights(base, note)
        return self._kept(weights, what, weights.client(), _nothing)

    async def teacher(
        self, source: ModelSource, base: str, note: RemoteWeights | None
    ) -> TinkerSampler:
        """The same one for the same source until it is closed. Raises where the service has it not."""
        if source not in self._teachers:
            weights = self._weights(base, note)
            client = asyncio.ensure_future(weights.client())
            await client

            def release() -> None:
                self._teachers.pop(source, None)

            self._teachers[source] = self._kept(weights, "teacher", client, release)
        return self._teachers[source]

    async def give_back(self) -> None:
        """Let go of the models that had to be made to sample from what the service keeps."""
        for weights in self._all_kept.values():
            await weights.close()

    def _weights(self, base: str, note: RemoteWeights | None) -> KeptWeights:
        if (base, note) not in self._all_kept:
            self._all_kept[base, note] = KeptWeights(self.service, base, note, self.ttl_s)
        return self._all_kept[base, note]

    def _kept(
        self,
        weights: KeptWeights,
        what: str,
        client: Awaitable[tinker.SamplingClient],
        release: Callable[[], None],
    ) -> TinkerSampler:
        return TinkerSampler(
            client,
            0,
            self.service,
            self.tokenizer,
            self.limits,
            what=what,
            check_fresh=self._check_open,
            release=release,
            again=weights.client_again,
        )

    def _check_open(self) -> None:
        if self.closed:
            raise PortError("the session is closed", hint="Start a new one.")


def _nothing() -> None:
    """Nothing is held here."""


def _release(saved: asyncio.Future[Snapshot]) -> None:
    if not saved.cancelled() and saved.exception() is None:
        saved.result().release()
