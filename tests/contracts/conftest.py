"""The adapters that each port's contract is held against. A new adapter is a new entry here."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kitchen_core import builtin
from kitchen_core.adapters.memory import files as memory_files
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from kitchen_core.train.types import LoraSpec, ModelSource, SessionSpec
from tests.contracts.models import make_llama

torch.set_num_threads(1)

StartSession = Callable[..., Awaitable[TrainingSession]]


@dataclass(frozen=True)
class Backend:
    """A training client and what its sessions start from."""

    client: TrainingClient
    spec: SessionSpec


def _make_llama(folder: Path) -> None:
    make_llama(folder)


def _make_bigram(folder: Path) -> None:
    table = np.random.default_rng(0).normal(size=(VOCAB_SIZE, VOCAB_SIZE))
    memory_files.write_model(folder, table)


def _copy_builtin(folder: Path) -> None:
    shutil.copytree(builtin.model_folder("tiny"), folder)


BACKENDS = {
    "torch_local-builtin": (TorchLocal, _copy_builtin, None),
    "torch_local-full": (TorchLocal, _make_llama, None),
    "torch_local-lora": (TorchLocal, _make_llama, LoraSpec(rank=4)),
    "memory-full": (MemoryTraining, _make_bigram, None),
    "memory-lora": (MemoryTraining, _make_bigram, LoraSpec(rank=4)),
}
LORA_BACKENDS = [name for name, (_, _, lora) in BACKENDS.items() if lora is not None]


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    client, make_model, lora = BACKENDS[request.param]
    folder = tmp_path_factory.mktemp("model") / "base"
    make_model(folder)
    source = ModelSource("org/tiny", folder)
    return Backend(client(), SessionSpec(source, lora, seed=7, micro_batch_tokens=3))


@pytest.fixture
async def start(backend: Backend) -> AsyncIterator[StartSession]:
    """Starts sessions on the backend, with changes to its spec; all are closed at the end."""
    sessions: list[TrainingSession] = []

    async def start_session(**changes: object) -> TrainingSession:
        session = await backend.client.start_session(replace(backend.spec, **changes))
        sessions.append(session)
        return session

    yield start_session
    for session in sessions:
        await session.close()


@pytest.fixture
async def session(start: StartSession) -> TrainingSession:
    return await start()
