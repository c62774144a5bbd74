from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kitchen_core.store import RunWriter, Store
from tests.kitchen_core.store.support import fresh_store, start


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with fresh_store(tmp_path / "home") as store:
        yield store


@pytest.fixture
def writer(store: Store) -> RunWriter:
    return start(store)
