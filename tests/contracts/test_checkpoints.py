"""What everything that looks after kept checkpoints does: the double in memory, and the real SDK over
real HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from kitchen_core.adapters.memory import files
from kitchen_core.adapters.memory.checkpoints import MemoryCheckpoints
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.memory.tokenizer import VOCAB_SIZE
from kitchen_core.adapters.tinker.checkpoints import TinkerCheckpoints
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.train.ports.checkpoints import Checkpoints, KeptCheckpoint
from kitchen_core.train.ports.errors import InvalidRequest, NotFound
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

DAY = 24 * 3600.0


@dataclass(frozen=True)
class Backend:
    """A training checkpoint that goes after seven days, and a sampler's, made a day later, that stays.

    advance: lets so many seconds go by at the service.
    """

    port: Checkpoints
    training: str
    sampler: str
    advance: Callable[[float], None]


@pytest.fixture(params=["memory", "tinker"])
async def backend(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Backend]:
    if request.param == "memory":
        yield _memory()
        return
    base = tmp_path / "base"
    files.write_model(base, np.zeros((VOCAB_SIZE, VOCAB_SIZE)))
    double = TinkerDouble(client=MemoryTraining(), bases={"org/tiny": base}, folder=tmp_path)
    with serve_tinker(double):
        service = Service(KEY, base_url=double.base_url, project=None, timeout_s=30)
        model = await service.make("start", lambda c: c.create_lora_training_client("org/tiny", 4))
        training = await service.result("save", model.save_state("first", ttl_seconds=604_800))
        double.advance(timedelta(days=1))
        sampler = await service.result("save", model.save_weights_for_sampler("second"))
        port = TinkerCheckpoints(service)
        yield Backend(
            port, training.path, sampler.path, lambda s: double.advance(timedelta(seconds=s))
        )
        await port.close()


def _memory() -> Backend:
    now = [1_767_225_600.0]
    memory = MemoryCheckpoints(clock=lambda: now[0])
    memory.put(KeptCheckpoint("first", "training", now[0], now[0] + 7 * DAY, 10, public=False))
    memory.put(KeptCheckpoint("second", "sampler", now[0] + DAY, None, 5, public=False))

    def advance(seconds: float) -> None:
        now[0] += seconds

    advance(DAY)
    return Backend(memory, "first", "second", advance)


async def paths(backend: Backend) -> list[str]:
    return [kept.path for kept in await backend.port.list()]


async def found(backend: Backend, path: str) -> KeptCheckpoint:
    return next(kept for kept in await backend.port.list() if kept.path == path)


async def test_the_newest_comes_first_with_all_that_is_known(backend):
    newest, oldest = await backend.port.list()
    assert (newest.path, newest.kind, newest.expires_at) == (backend.sampler, "sampler", None)
    assert (oldest.path, oldest.kind) == (backend.training, "training")
    assert newest.created_at - oldest.created_at == DAY
    assert oldest.expires_at == oldest.created_at + 7 * DAY
    assert oldest.size_bytes is not None
    assert oldest.size_bytes > 0
    assert (newest.public, oldest.public) == (False, False)


async def test_one_goes_when_its_time_is_up(backend):
    backend.advance(6 * DAY - 1)
    assert await paths(backend) == [backend.sampler, backend.training]
    backend.advance(1)
    assert await paths(backend) == [backend.sampler]


async def test_an_expiry_counts_from_now_and_can_be_taken_back(backend):
    made = (await found(backend, backend.sampler)).created_at
    backend.advance(DAY)
    await backend.port.expire(backend.sampler, 2 * DAY)
    assert (await found(backend, backend.sampler)).expires_at == made + 3 * DAY
    await backend.port.expire(backend.sampler, None)
    assert (await found(backend, backend.sampler)).expires_at is None


@pytest.mark.parametrize("after_s", [-1.0, 0.0, float("inf"), float("nan")])
async def test_a_time_that_can_not_be_is_refused(backend, after_s):
    with pytest.raises(InvalidRequest) as refused:
        await backend.port.expire(backend.training, after_s)
    assert refused.value.hint
    assert refused.value.port == "checkpoints"


async def test_everybody_may_load_what_is_published_until_it_is_not(backend):
    await backend.port.publish(backend.sampler)
    assert [kept.public for kept in await backend.port.list()] == [True, False]
    await backend.port.publish(backend.sampler, public=False)
    assert [kept.public for kept in await backend.port.list()] == [False, False]


async def test_what_is_deleted_is_gone(backend):
    await backend.port.delete(backend.training)
    assert await paths(backend) == [backend.sampler]
    with pytest.raises(NotFound):
        await backend.port.delete(backend.training)


@pytest.mark.parametrize("path", ["tinker://no-run/weights/none", "no path at all", ""])
async def test_a_path_that_is_not_known_is_not_found(backend, path):
    for change in (
        backend.port.expire(path, 7200.0),
        backend.port.publish(path),
        backend.port.delete(path),
    ):
        with pytest.raises(NotFound) as refused:
            await change
        assert refused.value.port == "checkpoints"
        assert "kitchen checkpoints" in refused.value.hint


async def test_a_probe_says_that_it_is_there(backend):
    assert await backend.port.probe()
