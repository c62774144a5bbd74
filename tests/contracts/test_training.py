"""What every training session does, whichever backend is behind it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kitchen_core.train.ports.errors import InvalidRequest, NotFound, PortError
from kitchen_core.train.remote_weights import FILE as NOTE
from kitchen_core.train.types import AdamParams, Datum, LoraSpec, LossSpec, ModelSource
from tests.contracts.conftest import LORA_BACKENDS
from tests.contracts.data import DATUMS, make_datum, negative_sum

CROSS_ENTROPY = LossSpec()
STEP = AdamParams(learning_rate=1e-3)


async def train(session, steps: int, datums=DATUMS, adam=STEP) -> list[float]:
    """Losses of `steps` steps, all submitted before the first is waited for."""
    handles = []
    for _ in range(steps):
        handles.append(session.forward_backward(datums, CROSS_ENTROPY))
        session.optim_step(adam)
    return [(await handle).metrics["loss"] for handle in handles]


async def score(session, datums=DATUMS) -> np.ndarray:
    return np.concatenate((await session.forward(datums, CROSS_ENTROPY)).logprobs)


class TestLoss:
    async def test_is_the_negative_weighted_sum_of_the_target_logprobs(self, session):
        result = await session.forward(DATUMS, CROSS_ENTROPY)
        by_hand = -sum(
            float(w) * float(lp)
            for datum, row in zip(DATUMS, result.logprobs, strict=True)
            for w, lp in zip(datum.weights, row, strict=True)
        )
        assert result.metrics["loss"] == pytest.approx(by_hand, rel=1e-5)

    async def test_gives_a_logprob_for_every_target(self, session):
        result = await session.forward(DATUMS, CROSS_ENTROPY)
        assert [len(row) for row in result.logprobs] == [len(datum) for datum in DATUMS]
        assert all(row.dtype == np.float32 and (row < 0).all() for row in result.logprobs)

    async def test_does_not_depend_on_what_else_is_in_the_batch(self, session):
        together = (await session.forward(DATUMS, CROSS_ENTROPY)).logprobs
        alone = [(await session.forward([d], CROSS_ENTROPY)).logprobs[0] for d in DATUMS]
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)

    async def test_forward_backward_says_the_same_as_forward(self, session):
        forward = await session.forward(DATUMS, CROSS_ENTROPY)
        backward = await session.forward_backward(DATUMS, CROSS_ENTROPY)
        assert backward.metrics["loss"] == pytest.approx(forward.metrics["loss"], rel=1e-6)
        for datum, one, other in zip(DATUMS, backward.logprobs, forward.logprobs, strict=True):
            assert len(one) == len(datum)
            counted = datum.weights != 0
            np.testing.assert_allclose(one[counted], other[counted], atol=1e-5)

    async def test_falls_when_the_same_batch_is_trained_on(self, session):
        losses = await train(session, 12, adam=AdamParams(learning_rate=1e-2))
        assert losses[-1] < losses[0] - 5


class TestWork:
    @pytest.mark.usefixtures("computes_here")
    async def test_is_told_with_every_pass(self, session):
        forward = (await session.forward(DATUMS, CROSS_ENTROPY)).metrics
        backward = (await session.forward_backward(DATUMS, CROSS_ENTROPY)).metrics
        custom = (await session.forward_backward_custom(DATUMS, negative_sum)).metrics
        for metrics in (forward, backward, custom):
            assert metrics["flops"] > 0
            assert metrics["peak_memory_bytes"] > 0

    @pytest.mark.usefixtures("computes_here")
    async def test_of_more_tokens_is_more(self, session):
        few = (await session.forward_backward(DATUMS, CROSS_ENTROPY)).metrics["flops"]
        others = [
            Datum(datum.tokens + shift, datum.targets + shift, datum.weights)
            for shift in range(3)
            for datum in DATUMS
        ]
        many = (await session.forward_backward(others, CROSS_ENTROPY)).metrics["flops"]
        assert many == pytest.approx(3 * few)

    async def test_is_done_by_a_named_device(self, session):
        facts = session.device_facts
        assert facts.name
        assert facts.memory_bytes is None or facts.memory_bytes > 0
        assert facts.peak_flops is None or facts.peak_flops > 1e12


async def test_a_datum_fills_the_context_and_no_more(session):
    def of(length):
        tokens = np.full(length, 65)
        return Datum(tokens, tokens, np.ones(length, dtype=np.float32))

    await session.forward([of(session.context_length)], CROSS_ENTROPY)
    with pytest.raises(InvalidRequest):
        await session.forward([of(session.context_length + 1)], CROSS_ENTROPY)


class TestGradient:
    @pytest.mark.usefixtures("computes_here")
    @pytest.mark.parametrize("micro_batch_tokens", [1, 2, 5])
    async def test_is_the_same_for_any_micro_batch_tokens(self, start, micro_batch_tokens):
        norms = []
        for size in (3, micro_batch_tokens):
            session = await start(micro_batch_tokens=size)
            session.forward_backward(DATUMS, CROSS_ENTROPY)
            norms.append((await session.optim_step(STEP)).metrics["grad_norm"])
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)

    @pytest.mark.usefixtures("computes_here")
    async def test_is_the_same_packed_or_padded(self, start):
        norms = []
        for packing in (True, False):
            session = await start(packing=packing, micro_batch_tokens=100)
            session.forward_backward(DATUMS, CROSS_ENTROPY)
            norms.append((await session.optim_step(STEP)).metrics["grad_norm"])
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)

    @pytest.mark.usefixtures("computes_here")
    async def test_is_the_same_with_activations_computed_again(self, start):
        norms = []
        for again in (False, True):
            session = await start(gradient_checkpointing=again)
            session.forward_backward(DATUMS, CROSS_ENTROPY)
            norms.append((await session.optim_step(STEP)).metrics["grad_norm"])
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)

    async def test_accumulates_over_calls_until_a_step(self, start):
        whole, parts = await start(), await start()
        whole.forward_backward(DATUMS, CROSS_ENTROPY)
        parts.forward_backward(DATUMS[:2], CROSS_ENTROPY)
        parts.forward_backward(DATUMS[2:], CROSS_ENTROPY)
        at_once, in_parts = await whole.optim_step(STEP), await parts.optim_step(STEP)
        assert in_parts.metrics["grad_norm"] == pytest.approx(
            at_once.metrics["grad_norm"], rel=1e-5
        )

    async def test_is_cleared_by_a_step(self, session):
        session.forward_backward(DATUMS, CROSS_ENTROPY)
        await session.optim_step(AdamParams(learning_rate=0.0))
        session.forward_backward(DATUMS[:1], CROSS_ENTROPY)
        second = await session.optim_step(AdamParams(learning_rate=0.0))
        session.forward_backward(DATUMS[:1], CROSS_ENTROPY)
        third = await session.optim_step(AdamParams(learning_rate=0.0))
        assert second.metrics["grad_norm"] == third.metrics["grad_norm"]

    async def test_of_a_datum_without_weight_is_nothing(self, start):
        with_it, without_it = await start(), await start()
        silent = make_datum("never mind me", weights=[0.0] * 12)
        losses = await train(with_it, 3, [*DATUMS, silent])
        assert losses == pytest.approx(await train(without_it, 3), rel=1e-5)
        np.testing.assert_allclose(await score(with_it), await score(without_it), atol=1e-4)

    async def test_forward_leaves_none(self, session):
        await session.forward(DATUMS, CROSS_ENTROPY)
        with pytest.raises(InvalidRequest, match="no gradient") as refused:
            await session.optim_step(STEP)
        assert "forward_backward" in refused.value.hint

    async def test_is_clipped_to_the_norm_that_is_asked_for(self, start):
        """Adam forgets the gradient's scale, up to eps: with a large eps clipping shows in the step's size."""
        moved = []
        for clip in (0.0, 1e-3):
            session = await start()
            before = await score(session)
            session.forward_backward(DATUMS, CROSS_ENTROPY)
            step = await session.optim_step(AdamParams(1e-2, eps=1.0, grad_clip_norm=clip))
            moved.append(np.abs(await score(session) - before).max())
            assert step.metrics["grad_norm"] > 1
        assert moved[1] < moved[0] / 100


class TestOrder:
    async def test_handles_come_at_once_and_finish_in_submission_order(self, session):
        finished = []

        async def note(name, handle):
            await handle
            finished.append(name)

        handles = {
            "first": session.forward_backward(DATUMS, CROSS_ENTROPY),
            "second": session.optim_step(STEP),
            "third": session.forward(DATUMS, CROSS_ENTROPY),
        }
        waiting = [note(name, handle) for name, handle in reversed(handles.items())]
        await asyncio.gather(*waiting)
        assert finished == ["first", "second", "third"]

    async def test_version_counts_the_steps(self, session):
        versions = []
        for _ in range(3):
            session.forward_backward(DATUMS, CROSS_ENTROPY)
            versions.append((await session.optim_step(STEP)).version)
        assert versions == [1, 2, 3]

    async def test_the_event_loop_goes_on_meanwhile(self, session):
        handle = asyncio.ensure_future(session.forward_backward(DATUMS * 6, CROSS_ENTROPY))
        turns = 0
        while not handle.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 1

    async def test_a_failed_call_leaves_the_others_alone(self, session):
        good = session.forward_backward(DATUMS, CROSS_ENTROPY)
        bad = session.forward_backward([], CROSS_ENTROPY)
        after = session.forward(DATUMS, CROSS_ENTROPY)
        with pytest.raises(InvalidRequest):
            await bad
        told = [(await handle).metrics["loss"] for handle in (good, after)]
        assert told[0] == pytest.approx(told[1], rel=1e-6)

    async def test_who_stops_waiting_takes_nothing_back(self, start):
        patient, hasty = await start(), await start()
        await train(patient, 1)
        handle = asyncio.ensure_future(hasty.forward_backward(DATUMS, CROSS_ENTROPY))
        handle.cancel()
        await hasty.optim_step(STEP)
        np.testing.assert_array_equal(await score(patient), await score(hasty))

    async def test_a_closed_session_refuses(self, session):
        await session.close()
        with pytest.raises(PortError, match="closed"):
            await session.forward(DATUMS, CROSS_ENTROPY)


class TestState:
    async def test_a_resumed_session_goes_on_bit_for_bit(self, start, tmp_path: Path):
        undisturbed, first, second = await start(), await start(), await start()
        expected = await train(undisturbed, 6)
        before = await train(first, 3)
        await first.save_state(tmp_path / "state")
        await second.load_state(tmp_path / "state")
        assert before + await train(second, 3) == expected
        np.testing.assert_array_equal(await score(second), await score(undisturbed))

    async def test_holds_what_was_submitted_before_and_nothing_later(self, start, tmp_path: Path):
        session, other = await start(), await start()
        session.forward_backward(DATUMS, CROSS_ENTROPY)
        session.optim_step(STEP)
        scored = session.forward(DATUMS, CROSS_ENTROPY)
        saved = session.save_state(tmp_path / "state")
        session.forward_backward(DATUMS, CROSS_ENTROPY)
        session.optim_step(STEP)
        await saved
        await other.load_state(tmp_path / "state")
        expected = np.concatenate((await scored).logprobs)
        np.testing.assert_array_equal(await score(other), expected)

    async def test_brings_its_version_along(self, start, tmp_path: Path):
        session, other = await start(), await start()
        await train(session, 3)
        await session.save_state(tmp_path / "state")
        await other.load_state(tmp_path / "state")
        assert other.sampler("live").version == 3
        other.forward_backward(DATUMS, CROSS_ENTROPY)
        assert (await other.optim_step(STEP)).version == 4

    async def test_that_is_not_there_is_not_found(self, session, tmp_path: Path):
        with pytest.raises(NotFound, match="no training state") as refused:
            await session.load_state(tmp_path / "nowhere")
        assert refused.value.hint

    async def test_that_is_damaged_is_refused_and_changes_nothing(self, session, tmp_path: Path):
        await train(session, 2)
        before = await score(session)
        await session.save_state(tmp_path / "state")
        largest = max((tmp_path / "state").iterdir(), key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes()[: -min(100, largest.stat().st_size // 2)])
        with pytest.raises(InvalidRequest, match="damaged"):
            await session.load_state(tmp_path / "state")
        np.testing.assert_array_equal(await score(session), before)

    async def test_is_not_written_over_something_else(self, session, tmp_path: Path):
        (tmp_path / "mine.txt").write_text("keep me")
        with pytest.raises(InvalidRequest, match="not empty"):
            await session.save_state(tmp_path)

    async def test_holds_no_pickle(self, session, tmp_path: Path):
        await session.save_state(tmp_path / "state")
        kinds = {path.suffix for path in (tmp_path / "state").iterdir()}
        assert kinds
        assert kinds <= {".json", ".safetensors"}


class TestExport:
    async def test_of_equal_weights_has_equal_bytes(self, start, tmp_path: Path):
        """But for the note of where a service keeps them."""
        contents = []
        for name in ("one", "two"):
            session = await start()
            await train(session, 2)
            await session.export(tmp_path / name)
            files = sorted(set((tmp_path / name).rglob("*")) - {tmp_path / name / NOTE})
            contents.append({file.name: file.read_bytes() for file in files})
        assert contents[0] == contents[1]
        assert not any(str(tmp_path).encode() in content for content in contents[0].values())

    async def test_can_be_started_from_again(self, backend, start, tmp_path: Path):
        session = await start()
        await train(session, 2)
        await session.export(tmp_path / "export")
        source = backend.spec.model
        again = (
            ModelSource(source.name, tmp_path / "export")
            if backend.spec.lora is None
            else replace(source, adapter=tmp_path / "export")
        )
        np.testing.assert_array_equal(await score(await start(model=again)), await score(session))


class TestStart:
    async def test_equal_specs_have_equal_fingerprints(self, backend, start):
        one, same, other = await start(), await start(), await start(seed=8)
        assert one.fingerprint == same.fingerprint
        assert one.fingerprint != other.fingerprint
        moved = await start(model=replace(backend.spec.model, name="another/name"))
        assert moved.fingerprint == one.fingerprint

    async def test_a_folder_that_is_not_there_is_named(self, start, tmp_path: Path):
        with pytest.raises(NotFound, match="nowhere") as refused:
            await start(model=ModelSource("x", tmp_path / "nowhere"))
        assert refused.value.hint

    @pytest.mark.parametrize("backend", LORA_BACKENDS, indirect=True)
    async def test_an_adapter_of_another_rank_is_refused_with_both(self, backend, start, tmp_path):
        await (await start()).export(tmp_path / "adapter")
        source = replace(backend.spec.model, adapter=tmp_path / "adapter")
        with pytest.raises(InvalidRequest) as refused:
            await start(model=source, lora=LoraSpec(rank=16))
        assert "4" in refused.value.hint
        assert "16" in refused.value.hint

    @pytest.mark.usefixtures("computes_here")
    @pytest.mark.parametrize("backend", LORA_BACKENDS, indirect=True)
    async def test_an_adapter_is_merged_where_all_weights_are_trained(
        self, backend, start, tmp_path
    ):
        session = await start()
        await train(session, 3)
        await session.export(tmp_path / "adapter")
        source = replace(backend.spec.model, adapter=tmp_path / "adapter")
        merged = await start(model=source, lora=None)
        np.testing.assert_allclose(await score(merged), await score(session), atol=1e-4)
        assert len(await train(merged, 2)) == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("datum", "what"),
        [
            (make_datum("abc", weights=[1.0]), "2 tokens, 2 targets and 1 weights"),
            (make_datum("abc", weights=[1.0, np.nan]), "weight that is not finite"),
            (Datum(np.array([1]), np.array([10**6]), np.ones(1, np.float32)), "1000000"),
            (Datum(np.array([-1]), np.array([1]), np.ones(1, np.float32)), "-1"),
            (make_datum("x" * 5000), "4999 tokens"),
        ],
    )
    async def test_name_the_datum_and_give_a_hint(self, session, datum, what):
        with pytest.raises(InvalidRequest, match=what) as refused:
            await session.forward_backward([DATUMS[0], datum], CROSS_ENTROPY)
        assert "datum 1" in str(refused.value)
        assert refused.value.hint
        assert refused.value.asked == "forward_backward"
