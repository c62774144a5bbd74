"""Models in training: each a session of ours whose requests are done in the order of their numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kitchen_core.train.ports.training import TrainingSession
from kitchen_core.train.types import FloatArray
from tests.doubles.tinker import wire
from tests.doubles.tinker.checkpoints import Checkpoint, Checkpoints, Recipe
from tests.doubles.tinker.jobs import Answer, Line, Promises, Work
from tests.doubles.tinker.samplers import Samplers

Start = Callable[[], Awaitable[TrainingSession]]


class Model:
    """One model. Its first request, number 0, is what made it."""

    def __init__(self, model_id: str, recipe: Recipe, promises: Promises) -> None:
        self.id = model_id
        self.recipe = recipe
        self.line = Line()
        self._promises = promises
        self._session: TrainingSession | None = None

    @property
    def session(self) -> TrainingSession:
        """The session behind it."""
        assert self._session is not None, "the model could not be made"
        return self._session

    def promise(self, number: int, kind: str, work: Work) -> dict[str, Any]:
        """Promise a request's work in its turn. A request that comes again is the same promise."""
        request_id = f"{self.id}:{number}"
        if self._promises.get(request_id) is None:
            self.line.put(number, self._promises.make(request_id, kind, work))
        return {"request_id": request_id, "model_id": self.id}

    async def make(self, kind: str, start: Start) -> Answer:
        """Start the session."""
        self._session = await start()
        return {"type": kind, "model_id": self.id}

    async def run_pass(self, asked: wire.Pass) -> Answer:
        """A forward or a forward and backward pass. The answer has a logprob for every position."""
        compute = self.session.forward if asked.forward_only else self.session.forward_backward
        result = await compute(asked.datums, asked.loss)
        logprobs = result.logprobs
        if any(np.isnan(row).any() for row in logprobs):
            logprobs = await self._whole_logprobs(asked)
        return wire.write_pass(logprobs, result.metrics["loss"])

    async def _whole_logprobs(self, asked: wire.Pass) -> list[FloatArray]:
        """Our backward pass leaves out what has no weight, Tinker's does not."""
        bare = [replace(datum, extra={}) for datum in asked.datums]
        return (
            await self.session.forward(bare, replace(asked.loss, name="cross_entropy", options={}))
        ).logprobs

    async def step(self, sent: dict[str, Any]) -> Answer:
        """An optimizer step."""
        result = await self.session.optim_step(wire.read_adam(sent))
        return {"metrics": {f"{name}:mean": value for name, value in result.metrics.items()}}

    async def save(self, checkpoint: Checkpoint, checkpoints: Checkpoints) -> Answer:
        """Write a checkpoint to go on from, or for others to load."""
        if checkpoint.type == "training":
            await self.session.save_state(checkpoint.state)
        await self.session.export(checkpoint.adapter)
        checkpoints.keep(checkpoint)
        kind = "save_weights" if checkpoint.type == "training" else "save_weights_external"
        return {"type": kind, "path": checkpoint.path}

    async def save_sampler(
        self, checkpoint: Checkpoint, checkpoints: Checkpoints, samplers: Samplers
    ) -> Answer:
        """Write a checkpoint to sample from, which is held open while the model is there."""
        samplers.hold(checkpoint.path, self.session.sampler("snapshot"))
        await self.session.export(checkpoint.adapter)
        checkpoints.keep(checkpoint)
        return {"type": "save_weights_for_sampler", "path": checkpoint.path}

    async def close(self) -> None:
        """Give back what the model holds."""
        await self.line.close()
        if self._session is not None:
            await self._session.close()
