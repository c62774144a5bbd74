"""Weights to sample from, which never change, and the sampling sessions that do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kitchen_core.train.ports.sampling import SamplingClient
from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from kitchen_core.train.types import ModelSource, SessionSpec
from tests.doubles.tinker import wire
from tests.doubles.tinker.checkpoints import Checkpoints
from tests.doubles.tinker.jobs import Answer


@dataclass(frozen=True, slots=True)
class SamplingSession:
    """Where samples come from: a path, a base model, or (`inflight`) whatever the model is by then."""

    id: str
    base_model: str
    model_path: str | None = None
    inflight: Callable[[], SamplingClient] | None = None


class Samplers:
    """Samplers by path: those that a model holds open, and those loaded again when it has gone."""

    def __init__(
        self, client: TrainingClient, bases: dict[str, Path], checkpoints: Checkpoints
    ) -> None:
        self._client = client
        self._bases = bases
        self._checkpoints = checkpoints
        self._open: dict[str, SamplingClient] = {}
        self._loaded: list[TrainingSession] = []
        self._loading = asyncio.Lock()

    def hold(self, path: str, sampler: SamplingClient) -> None:
        """Sample from this when the path is asked for."""
        self._open[path] = sampler

    async def sampler(self, session: SamplingSession) -> SamplingClient:
        """What a sampling session samples from."""
        if session.inflight is not None:
            return session.inflight()
        name = session.model_path or session.base_model
        async with self._loading:
            if name not in self._open:
                loaded = await self._client.start_session(self._spec(session))
                self._loaded.append(loaded)
                self._open[name] = loaded.sampler("live")
        return self._open[name]

    def _spec(self, session: SamplingSession) -> SessionSpec:
        base = self._bases[session.base_model]
        if session.model_path is None:
            return SessionSpec(ModelSource(session.base_model, base), None, 0)
        checkpoint = self._checkpoints.find(session.model_path)
        return checkpoint.recipe.spec(base, checkpoint.adapter)

    async def sample(self, session: SamplingSession, asked: wire.Asked) -> Answer:
        """Completions of one prompt, with what was asked about the prompt itself."""
        sampler = await self.sampler(session)
        [samples] = await sampler.sample([asked.prompt], asked.params, asked.count)
        logprobs = top = None
        if asked.last_scored:
            [scored] = await sampler.compute_logprobs([asked.prompt])
            logprobs = np.concatenate([[np.nan], scored])
            logprobs[: -asked.last_scored] = np.nan
        if asked.top:
            [top] = await sampler.top_logprobs([asked.prompt], asked.top)
        return wire.write_samples(samples, logprobs, top)

    def drop(self, run: str) -> None:
        """The model that held these open is going."""
        held = [path for path in self._open if path.startswith(f"tinker://{run}/")]
        for path in held:
            del self._open[path]

    async def forget(self) -> None:
        """Close what is open; it is loaded again when it is asked for."""
        self._open.clear()
        loaded, self._loaded = self._loaded, []
        for session in loaded:
            await session.close()
