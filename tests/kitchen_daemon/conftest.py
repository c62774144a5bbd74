import pytest

from tests.kitchen_daemon.support import final_sha256, running_daemon


@pytest.fixture(scope="session")
def daemon(tmp_path_factory):
    """One daemon for all tests that leave it whole."""
    with running_daemon(tmp_path_factory.mktemp("kitchen")) as running:
        yield running


@pytest.fixture(scope="session")
def undisturbed(daemon):
    """A quick run from start to end, and the hash of what it made."""
    run = daemon.settled(daemon.launch().id)
    return run, final_sha256(run)


@pytest.fixture
def own_daemon(tmp_path):
    """A daemon for a test that ill-treats it."""
    with running_daemon(tmp_path / "kitchen") as running:
        yield running
