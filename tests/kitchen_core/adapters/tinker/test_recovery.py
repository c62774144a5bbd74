"""What a session does where the service loses what it had: the numbers are those of an undisturbed one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import numpy as np
import pytest

from kitchen_core.adapters.tinker import journal, remote_model
from kitchen_core.train.ports.errors import NotFound, PortError, Unavailable
from kitchen_core.train.types import AdamParams, LossSpec
from tests.contracts.data import DATUMS

STEP = AdamParams(learning_rate=1e-2)
TEXT = [list(b"2 + 2 = 4")]


def step(session):
    session.forward_backward(DATUMS, LossSpec())
    return session.optim_step(STEP)


async def score(session) -> np.ndarray:
    return np.concatenate((await session.forward(DATUMS, LossSpec())).logprobs)


async def reached(gate) -> None:
    assert await asyncio.to_thread(gate.reached.wait, 10)


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
        lost = [notice for notice in notices if "lost the model" in notice.message]
        assert [notice.kind for notice in lost] == ["waiting"]

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

    @pytest.mark.parametrize("lost_twice", [False, True])
    async def test_may_be_sent_more_while_it_is_made_again_than_is_kept_for_that(
        self, training, double, spec, monkeypatch, lost_twice
    ):
        monkeypatch.setattr(journal, "MAX_STEPS", 2)
        undisturbed, session = [await training.start_session(spec) for _ in range(2)]
        for each in (undisturbed, session):
            for _ in range(2):
                await step(each)
            await each.forward_backward(DATUMS, LossSpec())
        await undisturbed.optim_step(STEP)
        expected = await score(undisturbed)
        double.forget()
        making = double.faults.hang("/create_model")
        noticed = session.forward(DATUMS, LossSpec())
        await reached(making)
        stepping = double.faults.hang("/optim_step") if lost_twice else None
        if stepping is not None:
            making.open()
            await reached(stepping)  # all has been sent again, and nothing answered
        third = session.optim_step(STEP)
        for _ in range(10):
            await asyncio.sleep(0)  # the step is noted
        making.open()
        if stepping is not None:
            double.forget()
            stepping.open()
        await noticed
        assert (await third).version == 3
        np.testing.assert_array_equal(await score(session), expected)

    async def test_is_not_made_again_for_a_session_that_is_closed(self, training, double, spec):
        session = await training.start_session(spec)
        double.forget()
        making = double.faults.hang("/create_model")
        session._model.lose(session._model.generation, PortError("it is gone"))
        await reached(making)
        await asyncio.wait_for(session.close(), 10)
        assert session._model._recovery.cancelled()
        making.open()

    async def test_can_be_loaded_from_a_state(self, training, double, spec, tmp_path):
        session = await training.start_session(spec)
        await step(session)
        expected = await score(session)
        await session.save_state(tmp_path / "state")
        await step(session)
        double.forget()
        await session.load_state(tmp_path / "state")
        np.testing.assert_array_equal(await score(session), expected)

    async def test_that_is_made_again_for_a_sampler_does_not_replace_one_that_is_loaded(
        self, training, double, spec, tmp_path
    ):
        session = await training.start_session(spec)
        await step(session)
        expected = await score(session)
        await session.save_state(tmp_path / "state")
        await step(session)
        snapshot = session.sampler("snapshot")
        await snapshot.compute_logprobs(TEXT)
        double.forget()
        making = double.faults.hang("/load_weights")
        session._model.lose(session._model.generation, PortError("it is gone"))
        await reached(making)
        loaded = session.load_state(tmp_path / "state")
        for _ in range(10):
            await asyncio.sleep(0)
        making.open()
        await loaded
        np.testing.assert_array_equal(await score(session), expected)
        await step(session)
        np.testing.assert_array_equal(await score(session), await twice_stepped(training, spec))

    async def test_that_could_not_be_made_again_is_replaced_by_one_that_is_loaded(
        self, training, double, spec, tmp_path
    ):
        session = await training.start_session(spec)
        await step(session)
        expected = await score(session)
        await session.save_state(tmp_path / "state")
        await step(session)
        double.forget()
        double.faults.status("/load_weights", 401)
        with pytest.raises(PortError):
            await session.forward(DATUMS, LossSpec())
        double.faults.clear()
        await session.load_state(tmp_path / "state")
        np.testing.assert_array_equal(await score(session), expected)

    async def test_is_saved_though_it_is_lost_meanwhile(self, training, double, spec, tmp_path):
        session = await training.start_session(spec)
        await step(session)
        expected = await score(session)
        saving = double.faults.slow("/save_weights")
        saved = asyncio.ensure_future(session.save_state(tmp_path / "state"))
        await reached(saving)
        double.forget()
        saving.open()
        await saved
        other = await training.start_session(spec)
        await other.load_state(tmp_path / "state")
        np.testing.assert_array_equal(await score(other), expected)

    async def test_is_exported_with_its_weights_though_it_is_lost_meanwhile(
        self, training, double, spec, tmp_path
    ):
        session = await training.start_session(spec)
        await step(session)
        double.faults.status("/archive", 404, times=9)
        writing = double.faults.slow("/save_weights_external")
        exported = asyncio.ensure_future(session.export(tmp_path / "adapter"))
        await reached(writing)
        double.forget()
        writing.open()
        await exported
        assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


async def twice_stepped(training, spec) -> np.ndarray:
    session = await training.start_session(spec)
    for _ in range(2):
        await step(session)
    return await score(session)


async def test_a_state_that_has_expired_is_not_found_and_changes_nothing(
    training, double, spec, tmp_path
):
    session = await training.start_session(spec)
    await step(session)
    before = await score(session)
    await session.save_state(tmp_path / "state")
    double.advance(timedelta(days=8))
    with pytest.raises(NotFound, match="no longer") as refused:
        await session.load_state(tmp_path / "state")
    assert "checkpoint_days" in refused.value.hint
    np.testing.assert_array_equal(await score(session), before)


async def test_a_step_that_fails_does_not_count(training, double, spec):
    session = await training.start_session(spec)
    double.faults.fail("optim_step", "a GPU fell over")
    session.forward_backward(DATUMS, LossSpec())
    failed = session.optim_step(STEP)
    with pytest.raises(Unavailable, match="a GPU fell over"):
        await failed
    assert (await step(session)).version == 1
    assert session.sampler("live").version == 1
