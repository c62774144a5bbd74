"""Sessions over the wire where the service fails: what every session does is in the contracts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from kitchen_core.adapters.tinker import journal, remote_model
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
from kitchen_core.train.types import AdamParams, LoraSpec, LossSpec, ModelSource, SessionSpec
from tests.contracts.data import DATUMS
from tests.contracts.models import make_llama
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

BASE = "org/tiny"
STEP = AdamParams(learning_rate=1e-2)
TEXT = [list(b"2 + 2 = 4")]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make_llama(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(scope="module")
def served(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with serve_tinker(TinkerDouble(client=TorchLocal(), bases={BASE: base}, folder=folder)) as it:
        yield it


@pytest.fixture
def double(served):
    yield served
    served.faults.clear()


@pytest.fixture
def spec(base):
    return SessionSpec(ModelSource(BASE, base), LoraSpec(4), seed=7)


@pytest.fixture
def notices():
    return []


@pytest.fixture
async def training(double, notices):
    service = Service(
        KEY, base_url=double.base_url, project=None, timeout_s=30, notify=notices.append
    )
    made = TinkerTraining(service)
    yield made
    await made.close()


def step(session):
    session.forward_backward(DATUMS, LossSpec())
    return session.optim_step(STEP)


async def score(session) -> np.ndarray:
    return np.concatenate((await session.forward(DATUMS, LossSpec())).logprobs)


class TestAModelThatIsLost:
    @pytest.mark.parametrize("save_after", [None, 1, 2])
    async def test_is_made_again_with_the_same_weights(
        self, training, double, spec, notices, tmp_path, save_after
    ):
        undisturbed = await training.start_session(spec)
        for _ in range(4):
            await step(undisturbed)
        expected = await score(undisturbed)
        session = await training.start_session(spec)
        for number in range(1, 3):
            await step(session)
            if number == save_after:
                await session.save_state(tmp_path / "state")
        double.forget()
        step(session)
        assert (await step(session)).version == 4
        np.testing.assert_array_equal(await score(session), expected)
        assert "lost the model" in notices[0].message
        assert notices[0].kind == "waiting"

    async def test_gives_those_who_wait_the_new_results(self, training, double, spec):
        undisturbed, session = [await training.start_session(spec) for _ in range(2)]
        expected = await score(undisturbed)
        handles = [session.forward(DATUMS, LossSpec()) for _ in range(3)]
        double.forget()
        for handle in handles:
            np.testing.assert_array_equal(np.concatenate((await handle).logprobs), expected)

    async def test_keeps_a_gradient_that_was_not_stepped_on(self, training, double, spec, tmp_path):
        norms = []
        for disturbed in (False, True):
            session = await training.start_session(spec)
            await step(session)
            await session.forward_backward(DATUMS[:2], LossSpec())
            await session.save_state(tmp_path / str(disturbed))
            if disturbed:
                double.forget()
            session.forward_backward(DATUMS[2:], LossSpec())
            norms.append((await session.optim_step(STEP)).metrics["grad_norm"])
        assert norms[0] == norms[1]

    async def test_leaves_its_samplers_their_versions(self, training, double, spec):
        session = await training.start_session(spec)
        await step(session)
        samplers = [session.sampler("snapshot"), session.reference()]
        before = [await sampler.compute_logprobs(TEXT) for sampler in samplers]
        await step(session)
        double.forget()
        after = [await sampler.compute_logprobs(TEXT) for sampler in samplers]
        np.testing.assert_array_equal(before, after)
        assert not np.array_equal(before[0], await session.sampler("live").compute_logprobs(TEXT))

    async def test_too_long_after_its_last_saved_state_says_how_to_go_on(
        self, training, double, spec, monkeypatch
    ):
        monkeypatch.setattr(journal, "MAX_STEPS", 2)
        monkeypatch.setattr(remote_model, "MAX_STEPS", 2)
        session = await training.start_session(spec)
        for _ in range(3):
            await step(session)
        double.forget()
        with pytest.raises(PortError, match="more than 2 steps after its last") as refused:
            await step(session)
        assert "save_every" in refused.value.hint


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


async def test_a_state_that_has_expired_is_not_found(training, double, spec, tmp_path):
    session = await training.start_session(spec)
    await step(session)
    before = await score(session)
    await session.save_state(tmp_path / "state")
    double.advance(timedelta(days=8))
    with pytest.raises(NotFound, match="no longer") as refused:
        await session.load_state(tmp_path / "state")
    assert "checkpoint_days" in refused.value.hint
    np.testing.assert_array_equal(await score(session), before)
