import pytest

from tests.kitchen_core.store.support import fresh_store, start


@pytest.fixture
def store(tmp_path):
    with fresh_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def writer(store):
    return start(store)
