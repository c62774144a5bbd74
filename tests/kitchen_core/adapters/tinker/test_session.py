"""Sessions over the wire where the service fails: what every session does is in the contracts."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from kitchen_core.adapters.tinker import service as service_module
from kitchen_core.adapters.tinker.client import TinkerTraining
from kitchen_core.adapters.tinker.service import Service
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.ports.errors import (
    AuthError,
    NotFound,
    PortError,
    Timeout,
    Unavailable,
    Unsupported,
)
from kitchen_core.train.remote_weights import read_remote_weights
from kitchen_core.train.types import AdamParams, LossSpec
from tests.contracts.data import DATUMS
from tests.doubles.tinker import KEY
from tests.kitchen_core.adapters.tinker.conftest import BASE

STEP = AdamParams(learning_rate=1e-2)
TEXT = [list(b"2 + 2 = 4")]


def step(session):
    session.forward_backward(DATUMS, LossSpec())
    return session.optim_step(STEP)


async def score(session) -> np.ndarray:
    return np.concatenate((await session.forward(DATUMS, LossSpec())).logprobs)


class TestTheService:
    @pytest.mark.parametrize(
        ("status", "error"), [(401, AuthError), (403, AuthError), (422, PortError)]
    )
    async def test_that_refuses_is_told_in_our_words(self, training, double, spec, status, error):
        session = await training.start_session(spec)
        double.faults.status("optim_step", status)
        with pytest.raises(error) as refused:
            await step(session)
        assert refused.value.hint
        assert refused.value.asked == "optim_step"
        assert KEY not in repr(refused.value)

    async def test_that_fails_at_work_is_unavailable(self, training, double, spec):
        session = await training.start_session(spec)
        double.faults.fail("optim_step", "a GPU fell over")
        with pytest.raises(Unavailable, match="a GPU fell over"):
            await step(session)

    async def test_that_does_not_answer_is_waited_for_no_longer_than_was_said(
        self, double, spec, notices
    ):
        service = Service(KEY, base_url=double.base_url, project=None, timeout_s=1.0)
        training = TinkerTraining(service)
        session = await training.start_session(spec)
        double.faults.hang("retrieve_future", times=9)
        with pytest.raises(Timeout, match=r"no result after 1 s") as refused:
            await session.forward(DATUMS, LossSpec())
        assert "timeout_s" in refused.value.hint
        double.faults.clear()
        await training.close()

    async def test_that_is_being_connected_to_does_not_keep_a_run_from_ending(
        self, double, monkeypatch
    ):
        monkeypatch.setattr(service_module, "_CLOSE_S", 0.05)
        connecting = double.faults.hang("/create_session")
        service = Service(KEY, base_url=double.base_url, project=None, timeout_s=30)
        client = asyncio.ensure_future(service.client())
        assert await asyncio.to_thread(connecting.reached.wait, 10)
        await asyncio.wait_for(service.close(), 5)
        client.cancel()

    async def test_is_told_everything_of_a_step(self, training, double, spec):
        session = await training.start_session(spec)
        session.forward_backward(DATUMS, LossSpec())
        result = await session.optim_step(STEP)
        assert set(result.metrics) == {"grad_norm"}

    async def test_must_have_the_model(self, training, spec):
        other = replace(spec.model, name="org/tinny")
        with pytest.raises(NotFound, match="did you mean 'org/tiny'"):
            await training.start_session(replace(spec, model=other))


async def test_all_weights_are_not_trained(training, spec):
    with pytest.raises(Unsupported, match="adapters only"):
        await training.start_session(replace(spec, lora=None))


@pytest.mark.parametrize("key", [None, "", "sk-not-one-of-theirs"])
def test_a_key_that_can_not_be_one_is_refused_and_not_shown(key):
    with pytest.raises(AuthError, match="TINKER_API_KEY") as refused:
        Service(key, base_url=None, project=None, timeout_s=1)
    assert "sk-" not in f"{refused.value} {refused.value.hint}"


async def test_a_snapshot_holds_what_was_submitted_before_and_nothing_later(training, spec):
    session = await training.start_session(spec)
    session.forward_backward(DATUMS, LossSpec())
    session.optim_step(STEP)
    expected, snapshot = session.forward(DATUMS[:1], LossSpec()), session.sampler("snapshot")
    for _ in range(3):
        last = step(session)
    await last
    [found] = await snapshot.compute_logprobs([[*DATUMS[0].tokens, DATUMS[0].targets[-1]]])
    np.testing.assert_allclose(found, (await expected).logprobs[0], atol=1e-5)


async def test_an_export_is_an_adapter_that_others_load(training, spec, tmp_path):
    session = await training.start_session(spec)
    await step(session)
    await session.export(tmp_path / "adapter")
    note = read_remote_weights(tmp_path / "adapter")
    assert note is not None
    assert (note.kept_by, note.base) == ("tinker", BASE)
    source = replace(spec.model, adapter=tmp_path / "adapter")
    local = await TorchLocal().start_session(replace(spec, model=source))
    np.testing.assert_allclose(await score(local), await score(session), atol=1e-5)
    await local.close()
