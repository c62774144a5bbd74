"""What every sampling client does, whichever backend is behind it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from kitchen_core.train.ports.errors import InvalidRequest, PortError, StaleSampler
from kitchen_core.train.types import AdamParams, LossSpec, SamplingParams
from tests.contracts.conftest import LORA_BACKENDS
from tests.contracts.data import DATUMS, PROMPTS

PARAMS = SamplingParams(max_tokens=12, seed=3)
NEARLY_UNIFORM = SamplingParams(max_tokens=100, temperature=50.0, seed=3)
"""Even a model that is sure of itself varies."""
STEP = AdamParams(learning_rate=1e-2)


async def step(session) -> None:
    session.forward_backward(DATUMS, LossSpec())
    await session.optim_step(STEP)


def tokens(samples) -> list[list[list[int]]]:
    return [[completion.tokens for completion in of_prompt] for of_prompt in samples]


async def next_logprobs(sampler, prompt) -> np.ndarray:
    """The logprob of each token to come next: `[vocab]`."""
    [top] = await sampler.top_logprobs([[*prompt, 0]], 10**6)
    return top.logprobs[-1][np.argsort(top.tokens[-1])]


class TestSamples:
    async def test_come_in_the_shape_that_was_asked_for(self, session):
        samples = await session.sampler("live").sample(PROMPTS, PARAMS, n=2)
        assert [len(of_prompt) for of_prompt in samples] == [2, 2, 2]
        for of_prompt in samples:
            for completion in of_prompt:
                assert 1 <= len(completion.tokens) <= 12
                assert len(completion.logprobs) == len(completion.tokens)

    async def test_carry_the_logprobs_that_scoring_gives(self, session):
        sampler = session.sampler("live")
        samples = await sampler.sample(PROMPTS, PARAMS, n=2)
        for prompt, of_prompt in zip(PROMPTS, samples, strict=True):
            for completion in of_prompt:
                [scored] = await sampler.compute_logprobs([[*prompt, *completion.tokens]])
                expected = scored[len(prompt) - 1 :]
                np.testing.assert_allclose(completion.logprobs, expected, atol=1e-4)

    async def test_carry_untempered_logprobs_whatever_the_temperature(self, session):
        sampler = session.sampler("live")
        hot = SamplingParams(max_tokens=6, temperature=3.0, top_k=5, seed=1)
        [[completion]] = await sampler.sample(PROMPTS[:1], hot)
        [scored] = await sampler.compute_logprobs([[*PROMPTS[0], *completion.tokens]])
        np.testing.assert_allclose(completion.logprobs, scored[len(PROMPTS[0]) - 1 :], atol=1e-4)

    async def test_are_the_same_for_the_same_seed_and_others_for_another(self, session):
        sampler = session.sampler("live")
        seeds = [NEARLY_UNIFORM, NEARLY_UNIFORM, replace(NEARLY_UNIFORM, seed=4)]
        first, again, other = [tokens(await sampler.sample(PROMPTS, p, n=3)) for p in seeds]
        assert first == again
        assert first != other

    async def test_of_one_prompt_differ_from_each_other(self, session):
        [completions] = await session.sampler("live").sample(PROMPTS[:1], NEARLY_UNIFORM, n=8)
        assert len({tuple(completion.tokens) for completion in completions}) == 8

    async def test_do_not_depend_on_how_many_are_decoded_together(self, start):
        results = []
        for size in (1, 4, 64):
            session = await start(sampling_batch_size=size)
            results.append(tokens(await session.sampler("live").sample(PROMPTS, PARAMS, n=3)))
        assert results[0] == results[1] == results[2]

    async def test_at_temperature_zero_take_the_likeliest_token(self, session):
        sampler = session.sampler("live")
        greedy = SamplingParams(max_tokens=1, temperature=0.0)
        [[completion]] = await sampler.sample(PROMPTS[:1], greedy)
        assert completion.logprobs[0] == pytest.approx(
            max(await next_logprobs(sampler, PROMPTS[0])), abs=1e-4
        )

    async def test_with_top_k_1_are_greedy(self, session):
        sampler = session.sampler("live")
        greedy = SamplingParams(max_tokens=8, temperature=0.0)
        narrow = SamplingParams(max_tokens=8, top_k=1, seed=9)
        assert tokens(await sampler.sample(PROMPTS, greedy)) == tokens(
            await sampler.sample(PROMPTS, narrow)
        )

    @pytest.mark.parametrize(
        "options",
        [{"top_p": 1e-6}, {"top_p": 1e-300}, {"temperature": 1e-6}, {"temperature": 1e-300}],
    )
    async def test_with_a_tiny_top_p_or_temperature_are_greedy(self, session, options):
        sampler = session.sampler("live")
        greedy = SamplingParams(max_tokens=8, temperature=0.0)
        narrow = SamplingParams(max_tokens=8, seed=9, **options)
        assert tokens(await sampler.sample(PROMPTS, greedy)) == tokens(
            await sampler.sample(PROMPTS, narrow)
        )

    async def test_follow_the_models_distribution(self, session):
        """500 draws of one token: the frequencies lie within sampling error of the probabilities."""
        sampler = session.sampler("live")
        prompt = PROMPTS[0]
        draws = 500
        params = SamplingParams(max_tokens=1, seed=0)
        [completions] = await sampler.sample([prompt], params, n=draws)
        probabilities = np.exp(await next_logprobs(sampler, prompt))[:256]
        drawn = [c.tokens[0] for c in completions]
        counts = np.bincount([t for t in drawn if t < 256], minlength=256)
        likely = probabilities > 0.01
        error = np.abs(counts / draws - probabilities)[likely]
        assert (error < 5 * np.sqrt(probabilities[likely] / draws)).all()

    async def test_end_with_the_stop_token_and_say_so(self, session):
        sampler = session.sampler("live")
        stop = tuple(range(0, 256, 2))
        params = SamplingParams(max_tokens=60, seed=0, stop=stop)
        for of_prompt in await sampler.sample(PROMPTS, params, n=4):
            for completion in of_prompt:
                assert completion.stop_reason == "stop"
                assert completion.tokens[-1] in stop
                assert not set(completion.tokens[:-1]) & set(stop)

    async def test_that_run_out_of_tokens_say_so(self, session):
        params = SamplingParams(max_tokens=3, seed=0, stop=(255,))
        [[completion]] = await session.sampler("live").sample(PROMPTS[:1], params)
        assert (len(completion.tokens), completion.stop_reason) == (3, "length")

    async def test_may_be_asked_for_more_tokens_than_any_context_holds(self, session):
        few = tuple(range(0, 256, 2))
        params = SamplingParams(max_tokens=10**11, seed=0, stop=few)
        [[completion]] = await session.sampler("live").sample(PROMPTS[:1], params)
        assert completion.tokens[-1] in few

    async def test_stop_at_the_tokenizers_end_where_no_stop_is_given(self, session):
        ends = session.tokenizer.eos_token_ids
        samples = await session.sampler("live").sample(PROMPTS, NEARLY_UNIFORM, n=20)
        flat = [completion for of_prompt in samples for completion in of_prompt]
        stopped = [c for c in flat if c.stop_reason == "stop"]
        assert stopped
        assert all(c.tokens[-1] in ends and not set(c.tokens[:-1]) & set(ends) for c in stopped)


TEXTS = ("\n", "th", "é", "a", "1", "e ")
ENDLESS = SamplingParams(max_tokens=40, seed=11, stop=(-1,))
"""No token ends it."""


class TestStopTexts:
    async def test_end_a_completion_with_the_token_that_completes_one(self, session):
        """Held against a search through the whole text of what comes without an end."""
        sampler = session.sampler("live")
        decode = session.tokenizer.decode
        whole = [c for [c] in await sampler.sample(PROMPTS, ENDLESS)]
        params = replace(ENDLESS, stop_texts=TEXTS)
        for full, [cut] in zip(whole, await sampler.sample(PROMPTS, params), strict=True):
            prefixes = [decode(full.tokens[: n + 1]) for n in range(len(full.tokens))]
            ends = [n for n, text in enumerate(prefixes) if any(stop in text for stop in TEXTS)]
            expected = full.tokens[: ends[0] + 1] if ends else full.tokens
            assert cut.tokens == expected
            assert cut.stop_reason == ("stop" if ends else "length")

    async def test_may_lie_across_several_tokens(self, session):
        sampler = session.sampler("live")
        [completions] = await sampler.sample(PROMPTS[:1], ENDLESS, n=10)
        texts = [
            [session.tokenizer.decode(whole.tokens[: n + 1]) for n in range(len(whole.tokens))]
            for whole in completions
        ]
        spans = [of[n + 2][len(of[n]) :] for of in texts for n in range(len(of) - 2)]
        stop = next(span for span in spans if len(span) > 1 and "\ufffd" not in span)
        params = replace(ENDLESS, stop_texts=(stop,))
        [cut] = await sampler.sample(PROMPTS[:1], params, n=10)
        for whole, of, ended in zip(completions, texts, cut, strict=True):
            first = next((n for n, text in enumerate(of, start=1) if stop in text), None)
            assert ended.tokens == whole.tokens[:first]
        assert "stop" in {completion.stop_reason for completion in cut}

    async def test_leave_the_other_rows_going(self, session):
        sampler = session.sampler("live")
        lively = replace(ENDLESS, temperature=3.0)
        [alone] = await sampler.sample(PROMPTS[:1], lively, n=12)
        params = replace(lively, stop_texts=TEXTS)
        [together] = await sampler.sample(PROMPTS[:1], params, n=12)
        lengths = {len(completion.tokens) for completion in together}
        assert len(lengths) > 2
        for full, cut in zip(alone, together, strict=True):
            assert cut.tokens == full.tokens[: len(cut.tokens)]
            np.testing.assert_allclose(cut.logprobs, full.logprobs[: len(cut.tokens)], atol=1e-4)

    async def test_stand_beside_stop_tokens_and_in_place_of_the_tokenizers_own(self, session):
        ends = session.tokenizer.eos_token_ids
        sampler = session.sampler("live")
        params = replace(NEARLY_UNIFORM, stop_texts=("never to be said",))
        [completions] = await sampler.sample(PROMPTS[:1], params, n=20)
        assert any(set(c.tokens) & set(ends) for c in completions)
        assert {c.stop_reason for c in completions} == {"length"}
        both = replace(params, stop=ends)
        [completions] = await sampler.sample(PROMPTS[:1], both, n=20)
        assert "stop" in {c.stop_reason for c in completions}


async def streamed(sampler, params=PARAMS, prompt=PROMPTS[0]) -> list:
    return [token async for token in sampler.stream(prompt, params)]


class TestStreams:
    @pytest.mark.parametrize(
        "params",
        [PARAMS, ENDLESS, replace(PARAMS, temperature=0.0), replace(ENDLESS, stop_texts=TEXTS)],
    )
    async def test_give_what_sample_gives_for_the_prompt_alone(self, session, params):
        sampler = session.sampler("live")
        for prompt in PROMPTS:
            [[whole]] = await sampler.sample([prompt], params)
            tokens = await streamed(sampler, params, prompt)
            assert [token.token for token in tokens] == whole.tokens
            assert [token.logprob for token in tokens] == pytest.approx(whole.logprobs.tolist())
            reasons = [token.stop_reason for token in tokens]
            assert reasons == [None] * (len(tokens) - 1) + [whole.stop_reason]

    async def test_say_the_text_in_whole_characters(self, session):
        """Noise of bytes is the hardest: many of them begin a character that never ends."""
        sampler = session.sampler("live")
        for seed in range(4):
            tokens = await streamed(sampler, replace(NEARLY_UNIFORM, seed=seed, stop=(-1,)))
            ids = [token.token for token in tokens]
            text = session.tokenizer.decode(ids, skip_special=True)
            assert "".join(token.text for token in tokens) == text

    async def test_come_before_the_work_is_done(self, session):
        """Tokens are here while what was submitted behind the stream still waits for its end."""
        sampler = session.sampler("live")
        stream = sampler.stream(PROMPTS[0], SamplingParams(max_tokens=10**9, seed=11, stop=(-1,)))
        await asyncio.wait_for(anext(stream), 60)
        behind = asyncio.ensure_future(sampler.sample(PROMPTS[:1], PARAMS))
        for _ in range(9):
            await anext(stream)
        assert not behind.done()
        await stream.aclose()
        assert len(await behind) == 1

    async def test_that_are_left_early_free_the_thread(self, session):
        sampler = session.sampler("live")
        params = SamplingParams(max_tokens=10**9, seed=11, stop=(-1,))
        stream = sampler.stream(PROMPTS[0], params)
        await anext(stream)
        await stream.aclose()
        assert len(await sampler.sample(PROMPTS, PARAMS)) == 3
        again = await streamed(sampler, replace(PARAMS, stop=(-1,)))
        assert len(again) == 12

    async def test_that_nobody_reads_do_nothing(self, session):
        stream = session.sampler("live").stream(PROMPTS[0], replace(PARAMS, temperature=-1.0))
        await stream.aclose()

    async def test_of_a_stale_sampler_are_refused(self, session):
        sampler = session.sampler("live")
        await step(session)
        with pytest.raises(StaleSampler, match="version 0"):
            await streamed(sampler)

    async def test_keep_their_weights_when_a_step_is_submitted_meanwhile(self, session):
        [[whole]] = await session.sampler("live").sample(PROMPTS[:1], ENDLESS)
        stream = session.sampler("live").stream(PROMPTS[0], ENDLESS)
        first = await anext(stream)
        session.forward_backward(DATUMS, LossSpec())
        stepped = session.optim_step(STEP)
        tokens = [first.token] + [token.token async for token in stream]
        assert tokens == whole.tokens
        assert (await stepped).version == 1

    async def test_of_a_snapshot_are_those_of_its_version(self, session):
        snapshot = session.sampler("snapshot")
        before = await streamed(snapshot)
        await step(session)
        assert await streamed(snapshot) == before
        await snapshot.close()
        with pytest.raises(PortError, match="closed"):
            await streamed(snapshot)

    async def test_of_a_closed_session_are_refused(self, start):
        session = await start()
        sampler = session.sampler("live")
        await session.close()
        with pytest.raises(PortError, match="closed"):
            await streamed(sampler)

    async def test_name_what_is_wrong(self, session):
        sampler = session.sampler("live")
        with pytest.raises(InvalidRequest, match="prompt 0 is empty"):
            await streamed(sampler, prompt=[])
        with pytest.raises(InvalidRequest, match="top_k is 0"):
            await streamed(sampler, replace(PARAMS, top_k=0))


class TestVersions:
    async def test_live_shares_the_weights_and_goes_stale_with_a_step(self, session):
        sampler = session.sampler("live")
        assert sampler.version == 0
        await sampler.sample(PROMPTS, PARAMS)
        await step(session)
        with pytest.raises(StaleSampler, match="version 0") as stale:
            await sampler.sample(PROMPTS, PARAMS)
        assert stale.value.hint
        with pytest.raises(StaleSampler):
            await sampler.compute_logprobs(PROMPTS)
        assert session.sampler("live").version == 1

    async def test_live_goes_stale_as_soon_as_the_step_is_submitted(self, session):
        session.forward_backward(DATUMS, LossSpec())
        sampler = session.sampler("live")
        handle = session.optim_step(STEP)
        with pytest.raises(StaleSampler):
            await sampler.sample(PROMPTS, PARAMS)
        await handle

    async def test_live_stays_fresh_through_forward_and_backward(self, session):
        sampler = session.sampler("live")
        await session.forward_backward(DATUMS, LossSpec())
        assert len(await sampler.sample(PROMPTS, PARAMS)) == 3

    async def test_a_snapshot_keeps_its_weights_through_training(self, session):
        await step(session)
        snapshot = session.sampler("snapshot")
        before = await snapshot.compute_logprobs(PROMPTS)
        samples = tokens(await snapshot.sample(PROMPTS, PARAMS))
        await step(session)
        for one, other in zip(before, await snapshot.compute_logprobs(PROMPTS), strict=True):
            np.testing.assert_array_equal(one, other)
        assert tokens(await snapshot.sample(PROMPTS, PARAMS)) == samples
        assert snapshot.version == 1
        moved = await session.sampler("live").compute_logprobs(PROMPTS)
        assert np.abs(moved[2] - before[2]).max() > 1e-3

    async def test_a_snapshot_holds_what_was_submitted_before_it(self, session):
        session.forward_backward(DATUMS, LossSpec())
        session.optim_step(STEP)
        snapshot = session.sampler("snapshot")
        session.forward_backward(DATUMS, LossSpec())
        scored = session.forward(DATUMS, LossSpec())
        session.optim_step(STEP)
        assert snapshot.version == 1
        [row] = await snapshot.compute_logprobs([[*DATUMS[2].tokens, DATUMS[2].targets[-1]]])
        np.testing.assert_allclose(row, (await scored).logprobs[2], atol=1e-5)

    async def test_sampling_a_snapshot_does_not_disturb_training(self, start):
        quiet, busy = await start(), await start()
        await step(quiet)
        await step(busy)
        snapshot = busy.sampler("snapshot")
        busy.forward_backward(DATUMS, LossSpec())
        quiet.forward_backward(DATUMS, LossSpec())
        await snapshot.sample(PROMPTS, PARAMS)
        results = [(await s.optim_step(STEP)).metrics for s in (quiet, busy)]
        assert results[0] == results[1]

    async def test_a_closed_snapshot_refuses(self, session):
        snapshot = session.sampler("snapshot")
        await snapshot.sample(PROMPTS, PARAMS)
        await snapshot.close()
        with pytest.raises(PortError, match="closed"):
            await snapshot.sample(PROMPTS, PARAMS)

    async def test_a_failed_step_leaves_the_version(self, session):
        with pytest.raises(InvalidRequest, match="no gradient"):
            await session.optim_step(STEP)
        assert session.sampler("live").version == 0


class TestReference:
    async def test_is_the_model_as_it_was_started(self, session):
        initial = await session.sampler("live").compute_logprobs(PROMPTS)
        await step(session)
        reference = session.reference()
        assert reference.version == 0
        for one, other in zip(initial, await reference.compute_logprobs(PROMPTS), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)

    async def test_is_not_moved_by_a_loaded_state(self, start, tmp_path):
        trained, resumed = await start(), await start()
        initial = await resumed.sampler("live").compute_logprobs(PROMPTS)
        await step(trained)
        await trained.save_state(tmp_path / "state")
        await resumed.load_state(tmp_path / "state")
        for one, other in zip(
            initial, await resumed.reference().compute_logprobs(PROMPTS), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)

    @pytest.mark.parametrize("backend", LORA_BACKENDS, indirect=True)
    async def test_of_a_continued_adapter_is_that_adapter(self, backend, start, tmp_path):
        first = await start()
        await step(first)
        await first.export(tmp_path / "adapter")
        expected = await first.sampler("live").compute_logprobs(PROMPTS)
        second = await start(model=replace(backend.spec.model, adapter=tmp_path / "adapter"))
        await step(second)
        for one, other in zip(
            expected, await second.reference().compute_logprobs(PROMPTS), strict=True
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)

    async def test_leaves_the_session_training(self, session):
        await session.reference().compute_logprobs(PROMPTS)
        await step(session)
        await session.reference().compute_logprobs(PROMPTS)
        await step(session)
        assert session.sampler("live").version == 2


class TestScoring:
    async def test_gives_one_value_less_than_tokens(self, session):
        scored = await session.reference().compute_logprobs([[1], [1, 2], [1, 2, 3, 4]])
        assert [len(row) for row in scored] == [0, 1, 3]

    async def test_of_one_token_alone_is_empty(self, session):
        [scored] = await session.reference().compute_logprobs([[1]])
        assert scored.shape == (0,)

    async def test_agrees_with_the_training_pass(self, session):
        trained = (await session.forward(DATUMS, LossSpec())).logprobs
        sequences = [[*datum.tokens, datum.targets[-1]] for datum in DATUMS]
        scored = await session.sampler("live").compute_logprobs(sequences)
        for one, other in zip(trained, scored, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


class TestTopLogprobs:
    async def test_are_the_highest_of_all_with_the_likeliest_first(self, session):
        sampler = session.sampler("live")
        whole = await sampler.top_logprobs(PROMPTS, 10**6)
        few = await sampler.top_logprobs(PROMPTS, 5)
        for prompt, every, top in zip(PROMPTS, whole, few, strict=True):
            assert top.tokens.shape == top.logprobs.shape == (len(prompt) - 1, 5)
            assert (top.tokens.dtype, top.logprobs.dtype) == (np.int64, np.float32)
            assert (np.diff(every.logprobs, axis=-1) <= 0).all()
            np.testing.assert_allclose(np.exp(every.logprobs).sum(-1), 1, rtol=1e-4)
            np.testing.assert_array_equal(top.tokens, every.tokens[:, :5])
            np.testing.assert_allclose(top.logprobs, every.logprobs[:, :5], atol=1e-5)

    async def test_agree_with_scoring(self, session):
        sampler = session.sampler("live")
        scored = await sampler.compute_logprobs(PROMPTS)
        top = await sampler.top_logprobs(PROMPTS, 10**6)
        for prompt, row, found in zip(PROMPTS, scored, top, strict=True):
            said = found.logprobs[found.tokens == np.array(prompt[1:])[:, None]]
            np.testing.assert_allclose(said, row, atol=1e-5)

    async def test_of_one_token_alone_are_none(self, session):
        [alone, pair] = await session.reference().top_logprobs([[1], [1, 2]], 3)
        assert alone.tokens.shape == alone.logprobs.shape == (0, 3)
        assert pair.tokens.shape == (1, 3)

    async def test_of_a_stale_sampler_are_refused(self, session):
        sampler = session.sampler("live")
        await step(session)
        with pytest.raises(StaleSampler):
            await sampler.top_logprobs(PROMPTS, 2)

    async def test_of_none_are_refused(self, session):
        with pytest.raises(InvalidRequest, match="k is 0") as refused:
            await session.sampler("live").top_logprobs(PROMPTS, 0)
        assert refused.value.hint


class TestRefusals:
    @pytest.mark.parametrize(
        ("params", "what"),
        [
            (SamplingParams(max_tokens=0), "max_tokens is 0"),
            (SamplingParams(max_tokens=1, temperature=-1.0), "temperature is -1"),
            (SamplingParams(max_tokens=1, top_k=0), "top_k is 0"),
            (SamplingParams(max_tokens=1, top_p=0.0), "top_p is 0"),
            (SamplingParams(max_tokens=1, temperature=float("inf")), "temperature is inf"),
            (SamplingParams(max_tokens=1, temperature=float("nan")), "temperature is nan"),
            (SamplingParams(max_tokens=1, seed=-1), "seed is -1"),
            (SamplingParams(max_tokens=1, stop_texts=("a", "")), "stop_texts is"),
            (SamplingParams(max_tokens=1, stop_texts="ab"), "stop_texts is 'ab'"),  # type: ignore[arg-type]
        ],
    )
    async def test_name_the_parameter(self, session, params, what):
        with pytest.raises(InvalidRequest, match=what) as refused:
            await session.sampler("live").sample(PROMPTS, params)
        assert refused.value.hint

    async def test_an_empty_prompt_is_named(self, session):
        with pytest.raises(InvalidRequest, match="prompt 1 is empty"):
            await session.sampler("live").sample([[1], []], PARAMS)

    async def test_a_token_outside_the_vocabulary_is_named(self, session):
        with pytest.raises(InvalidRequest, match="1000000"):
            await session.sampler("live").compute_logprobs([[1, 10**6]])
