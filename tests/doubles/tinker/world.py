"""What the service knows: sessions, models, samplers, checkpoints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from tests.doubles.tinker.checkpoints import Checkpoint, Checkpoints, Recipe
from tests.doubles.tinker.faults import Faults
from tests.doubles.tinker.jobs import Promises
from tests.doubles.tinker.models import Model
from tests.doubles.tinker.refused import Refused
from tests.doubles.tinker.samplers import Samplers, SamplingSession

UNBOUNDED = 10**6
"""The context of a base model whose config names none."""


@dataclass
class Session:
    """What one client has made."""

    id: str
    user_metadata: dict[str, str] | None
    models: list[str] = field(default_factory=list)
    samplers: list[str] = field(default_factory=list)
    finished: bool = False


class World:
    """All that there is. bases: base models by the names that the service gives them."""

    def __init__(
        self, client: TrainingClient, bases: dict[str, Path], folder: Path, faults: Faults
    ) -> None:
        self.bases = bases
        self.contexts = {name: _context(base) for name, base in bases.items()}
        self.promises = Promises(faults)
        self.checkpoints = Checkpoints(folder)
        self.samplers = Samplers(client, bases, self.checkpoints)
        self.sessions: dict[str, Session] = {}
        self.models: dict[str, Model] = {}
        self.sampling: dict[str, SamplingSession] = {}
        self.runs: dict[str, Recipe] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._client = client
        self._sessions_made = 0

    def start_session(self, user_metadata: dict[str, str] | None) -> Session:
        """A new session. Its name is never used again, not after all is forgotten either."""
        self._sessions_made += 1
        session = Session(f"session-{self._sessions_made}", user_metadata)
        self.sessions[session.id] = session
        return session

    def session(self, session_id: str) -> Session:
        """Raises Refused where there is none, or it has finished."""
        session = self.sessions.get(session_id)
        if session is None:
            raise Refused(404, f"there is no session {session_id}")
        if session.finished:
            raise Refused(410, f"session {session_id} has finished")
        return session

    def model(self, model_id: str) -> Model:
        """Raises Refused where there is none."""
        model = self.models.get(model_id)
        if model is None:
            raise Refused(404, f"there is no model {model_id}")
        return model

    def sampling_session(self, session_id: str) -> SamplingSession:
        """Raises Refused where there is none."""
        session = self.sampling.get(session_id)
        if session is None:
            raise Refused(404, f"there is no sampling session {session_id}")
        return session

    def base(self, name: str) -> Path:
        """A base model's folder. Raises Refused where there is none of that name."""
        if name not in self.bases:
            raise Refused(400, f"there is no base model {name!r}, only {sorted(self.bases)}")
        return self.bases[name]

    def add_model(self, session_id: str, number: int, recipe: Recipe) -> Model:
        """The model that is the session's so many-th; the same one where it was asked for before."""
        session = self.session(session_id)
        model_id = f"{session_id}:train:{number}"
        if model_id not in self.models:
            self.models[model_id] = Model(model_id, recipe, self.promises)
            self.runs[model_id] = recipe
            session.models.append(model_id)
        return self.models[model_id]

    async def start_fresh(self, recipe: Recipe) -> TrainingSession:
        """A session with an adapter that does nothing yet."""
        return await self._client.start_session(recipe.spec(self.base(recipe.base_model)))

    async def start_from(self, checkpoint: Checkpoint, *, optimizer: bool) -> TrainingSession:
        """A session that goes on from a checkpoint, with the optimizer's state or a fresh one."""
        base = self.base(checkpoint.recipe.base_model)
        adapter = None if optimizer else checkpoint.adapter
        session = await self._client.start_session(checkpoint.recipe.spec(base, adapter))
        if optimizer:
            await session.load_state(checkpoint.state)
        return session

    def add_sampling(
        self, session_id: str, number: int, base: str, **source: Any
    ) -> SamplingSession:
        """The sampling session that is the session's so many-th."""
        session = self.session(session_id)
        made = SamplingSession(f"{session_id}:sample:{number}", base, **source)
        self.sampling[made.id] = made
        session.samplers.append(made.id)
        return made

    def begin(self, work: Any) -> None:
        """Do this now, beside everything else."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def unload(self, model_id: str) -> None:
        """Give back what a model holds."""
        await self._close_models([self.model(model_id).id])

    async def finish(self, session_id: str) -> None:
        """Give back what a session's models hold."""
        session = self.session(session_id)
        session.finished = True
        await self._close_models(session.models)

    async def forget(self) -> None:
        """Be as after a restart: nothing is left but checkpoints."""
        for task in list(self.tasks):
            task.cancel()
        self.promises.forget()
        self.sessions.clear()
        self.sampling.clear()
        await self._close_models(list(self.models))
        await self.samplers.forget()

    async def _close_models(self, ids: Iterable[str]) -> None:
        for model_id in ids:
            model = self.models.pop(model_id, None)
            if model is not None:
                self.samplers.drop(model_id)
                await model.close()


def _context(base: Path) -> int:
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    return config.get("max_position_embeddings", UNBOUNDED)
