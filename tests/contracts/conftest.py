"""The adapters that each port's contract is held against. A new adapter is a new entry here."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kitchen_core import builtin
from kitchen_core.adapters.memory import files as memory_files
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.adapters.tinker.client import TinkerTraining
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.ports.training import TrainingClient, TrainingSession
from kitchen_core.train.types import LoraSpec, ModelSource, SessionSpec
from tests.contracts.models import make_llama
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

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


@contextmanager
def _torch_local(base: Path) -> Iterator[TrainingClient]:
    yield TorchLocal()


@contextmanager
def _memory(base: Path) -> Iterator[TrainingClient]:
    yield MemoryTraining()


@contextmanager
def _tinker(base: Path) -> Iterator[TrainingClient]:
    """At a service of its protocol, which lets a backend train that is held against the contract itself."""
    folder = base.parent / "kept"
    double = TinkerDouble(client=TorchLocal(), bases={BASE: base}, folder=folder)
    with serve_tinker(double):
        service = Service(KEY, base_url=double.base_url, project=None, timeout_s=60)
        client = TinkerTraining(service, base_model=BASE)
        yield client
        asyncio.run(client.close())  # else the SDK goes on looking for the server
        assert not double.asked("/telemetry"), "the SDK's telemetry is to be off"


BASE = "org/tiny"
BACKENDS = {
    "torch_local-builtin": (_torch_local, _copy_builtin, None),
    "torch_local-full": (_torch_local, _make_llama, None),
    "torch_local-lora": (_torch_local, _make_llama, LoraSpec(rank=4)),
    "memory-full": (_memory, _make_bigram, None),
    "memory-lora": (_memory, _make_bigram, LoraSpec(rank=4)),
    "tinker-lora": (_tinker, _make_llama, LoraSpec(rank=4)),
}
LORA_BACKENDS = [name for name, (_, _, lora) in BACKENDS.items() if lora is not None]


@pytest.fixture(scope="session", params=BACKENDS)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    connect, make_model, lora = BACKENDS[request.param]
    folder = tmp_path_factory.mktemp("model") / "base"
    make_model(folder)
    source = ModelSource(BASE, folder)
    with connect(folder) as client:
        yield Backend(client, SessionSpec(source, lora, seed=7, micro_batch_tokens=3))


@pytest.fixture
def computes_here(backend: Backend) -> None:
    """For what a service decides by itself: how a pass is laid out, which weights are trained."""
    if not backend.client.reads_weights:
        pytest.skip("a service computes")


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
