from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen_core.adapters.memory.blobs import MemoryBlobs
from kitchen_core.store import Store
from tests.kitchen_daemon.transfers.support import new_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "here") as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path / "there") as store:
        yield store


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()
