"""A small Llama folder, and sessions on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch

from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.adapters.torch_local.session import TorchSession
from kitchen_core.train.types import ModelSource, SessionSpec
from tests.contracts.models import make_llama

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_llama(tmp_path_factory.mktemp("llama") / "base")


@pytest.fixture
async def start(llama: Path) -> AsyncIterator:
    """Starts sessions on the small Llama, or on another source; all are closed at the end."""
    sessions: list[TorchSession] = []

    async def start_session(
        lora=None, *, seed: int = 7, source: ModelSource | None = None, micro_batch_tokens: int = 3
    ) -> TorchSession:
        spec = SessionSpec(
            source or ModelSource("org/tiny", llama),
            lora,
            seed,
            micro_batch_tokens=micro_batch_tokens,
        )
        session = await TorchLocal().start_session(spec)
        sessions.append(session)
        return session

    yield start_session
    for session in sessions:
        await session.close()
