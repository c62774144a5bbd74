"""A server that is not there: told while a run waits for it, and at once to whoever only looks."""

from __future__ import annotations

import socket

import pytest

from kitchen_core.adapters.tinker.client import TinkerTraining
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.errors import Timeout, Unavailable
from kitchen_core.train.ports.notices import Notice
from tests.kitchen_core.adapters.tinker.test_checkpoints import basic_app, served


@pytest.fixture
def nowhere():
    """An address that nobody listens at, and nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


async def test_a_run_that_waits_for_a_server_that_is_down_says_so_once(nowhere):
    told: list[Notice] = []
    service = Service(
        "tml-key",
        base_url=f"http://{nowhere}",
        project=None,
        timeout_s=0.5,
        notify=told.append,
        look_s=0.05,
    )
    with pytest.raises(Timeout, match=f"can't reach {nowhere}"):
        await service.client()
    (notice,) = (each for each in told if each.kind == "waiting")
    assert notice.message.startswith(f"can't reach {nowhere}: ")


async def test_whoever_looks_is_told_at_once_with_the_address(nowhere):
    training = TinkerTraining(
        Service("tml-key", base_url=f"http://{nowhere}", project=None, timeout_s=3600)
    )
    with pytest.raises(Unavailable, match=f"can't reach {nowhere}") as refused:
        await training.probe()
    assert "base_url" in refused.value.hint


async def test_a_server_without_that_route_is_there():
    with served(basic_app()) as url:
        training = TinkerTraining(Service("tml-key", base_url=url, project=None, timeout_s=3600))
        assert await training.probe() == "2 models"
