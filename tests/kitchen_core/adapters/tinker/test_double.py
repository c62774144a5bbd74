"""The double is what the tests of the adapter stand on: here the SDK itself talks to it."""

from __future__ import annotations

import contextlib
import logging
from datetime import timedelta
from queue import Queue

import httpx
import numpy as np
import pytest
import tinker
import torch
from tinker import types
from tinker.types import RequestErrorCategory

from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.train.types import AdamParams as OurAdam
from kitchen_core.train.types import LoraSpec, LossSpec, ModelSource, SessionSpec
from tests.contracts.data import DATUMS, PROMPTS
from tests.contracts.models import make_llama
from tests.doubles.tinker import KEY, TinkerDouble, serve_tinker

BASE = "org/tiny"
STEP = types.AdamParams(learning_rate=1e-2, eps=1e-8)


def to_tinker(datum, **inputs) -> types.Datum:
    inputs = inputs or {"weights": datum.weights}
    return types.Datum(
        model_input=types.ModelInput.from_ints(datum.tokens.tolist()),
        loss_fn_inputs={"target_tokens": datum.targets, **inputs},
    )


DATA = [to_tinker(datum) for datum in DATUMS]
PROMPT = types.ModelInput.from_ints(PROMPTS[0])


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_llama(tmp_path_factory.mktemp("model") / "base")


@pytest.fixture(scope="module")
def served(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    with serve_tinker(TinkerDouble(client=TorchLocal(), bases={BASE: base}, folder=folder)) as it:
        yield it


@pytest.fixture
def double(served):
    served.requests.clear()
    yield served
    served.faults.clear()
    served.config.clear()


@pytest.fixture
def service(double, monkeypatch):
    monkeypatch.setenv("TINKER_TELEMETRY", "0")
    made = tinker.ServiceClient(api_key=KEY, base_url=double.base_url)
    yield made
    with contextlib.suppress(tinker.NotFoundError):  # the double has forgotten it
        made.close("success").result(10)


@pytest.fixture
def rest(double):
    return tinker.RestClient(api_key=KEY, base_url=double.base_url)


@pytest.fixture
def model(service):
    return service.create_lora_training_client(BASE, rank=4, seed=7).result()


def logprobs(output) -> np.ndarray:
    return np.concatenate([out["logprobs"].to_numpy() for out in output.loss_fn_outputs])


def score(model) -> np.ndarray:
    return logprobs(model.forward(DATA, "cross_entropy").result())


def grad_norm(model) -> float:
    """The norm of the gradient that is stepped on."""
    return (model.optim_step(STEP).result().metrics or {})["grad_norm:mean"]


def step(model) -> None:
    model.forward_backward(DATA, "cross_entropy")
    model.optim_step(STEP).result()


class TestTraining:
    async def test_is_that_of_the_backend_behind_it(self, base, model):
        spec = SessionSpec(ModelSource(BASE, base), LoraSpec(4), seed=7)
        ours = await TorchLocal().start_session(spec)
        expected = await ours.forward_backward(DATUMS, LossSpec())
        stepped = await ours.optim_step(OurAdam(1e-2))
        scored = np.concatenate((await ours.forward(DATUMS, LossSpec())).logprobs)
        await ours.close()
        found = model.forward_backward(DATA, "cross_entropy")
        assert grad_norm(model) == stepped.metrics["grad_norm"]
        assert found.result().metrics["loss:sum"] == pytest.approx(expected.metrics["loss"])
        np.testing.assert_array_equal(score(model), scored)

    def test_has_a_logprob_for_every_position_with_a_weight_or_without(self, model):
        scored = score(model)
        trained = logprobs(model.forward_backward(DATA, "cross_entropy").result())
        assert np.isfinite(scored).all()
        np.testing.assert_allclose(trained, scored, atol=1e-5)

    @pytest.mark.parametrize(
        ("loss", "config", "formula"),
        [
            ("importance_sampling", None, lambda lp, q, a, r: -(r * a)),
            (
                "ppo",
                {"clip_low_threshold": 0.9, "clip_high_threshold": 1.1},
                lambda lp, q, a, r: -np.minimum(r * a, r.clip(0.9, 1.1) * a),
            ),
            ("ppo", None, lambda lp, q, a, r: -np.minimum(r * a, r.clip(0.8, 1.2) * a)),
            ("cispo", None, lambda lp, q, a, r: -(r.clip(0.0, 4.0) * lp * a)),
            ("dro", {"beta": 0.3}, lambda lp, q, a, r: -(lp * a - 0.15 * (lp - q) ** 2)),
        ],
    )
    def test_sums_a_policy_loss_over_every_position(self, model, loss, config, formula):
        random = np.random.default_rng(5)
        lp = score(model)
        q = (lp + random.uniform(-0.4, 0.4, len(lp))).astype(np.float32)
        a = random.normal(size=len(lp)).astype(np.float32)
        ends = np.cumsum([len(datum) for datum in DATUMS])[:-1]
        data = [
            to_tinker(datum, logprobs=sampled, advantages=advantages)
            for datum, sampled, advantages in zip(
                DATUMS, np.split(q, ends), np.split(a, ends), strict=True
            )
        ]
        found = model.forward_backward(data, loss, config).result().metrics["loss:sum"]
        assert found == pytest.approx(formula(lp, q, a, np.exp(lp - q)).sum(), rel=1e-3)

    def test_takes_several_targets_a_token_dense_or_sparse(self, model):
        [datum] = DATUMS[1:2]
        targets = torch.stack([torch.from_numpy(datum.targets)] * 2, -1)
        targets[:, 1] += 1
        weights = torch.tensor([[0.75, 0.25]]).repeat(len(datum), 1)
        dense = to_tinker(datum, target_tokens=targets, weights=weights)
        sparse = to_tinker(
            datum,
            target_tokens=types.TensorData.from_torch_sparse(targets),
            weights=types.TensorData.from_torch_sparse(weights),
        )
        results = [model.forward([d], "cross_entropy").result() for d in (dense, sparse)]
        [out] = results[0].loss_fn_outputs
        assert out["logprobs"].shape == [len(datum), 2]
        by_hand = -(out["logprobs"].to_numpy() * weights.numpy()).sum()
        for result in results:
            assert result.metrics["loss:sum"] == pytest.approx(by_hand, rel=1e-5)

    def test_of_a_call_in_chunks_is_that_of_the_whole(self, double, service, model):
        double.config.update(fwdbwd_max_chunk_len=2, proto_compress_fwdbwd=True)
        split = tinker.ServiceClient(api_key=KEY, base_url=double.base_url)
        chunked = split.create_lora_training_client(BASE, rank=4, seed=7).result()
        results = []
        for client in (model, chunked):
            passed = client.forward_backward(DATA, "cross_entropy")
            norm = grad_norm(client)
            results.append((passed.result().metrics["loss:sum"], norm))
        assert results[1] == pytest.approx(results[0], rel=1e-5)
        split.close("success").result(10)

    def test_computes_a_custom_loss_by_way_of_its_gradient(self, model, service):
        def negative_sum(data, rows):
            weights = [d.loss_fn_inputs["weights"].to_torch() for d in data]
            return -sum((w * row).sum() for w, row in zip(weights, rows, strict=True)), {"seen": 1}

        named = service.create_lora_training_client(BASE, rank=4, seed=7).result()
        custom = model.forward_backward_custom(DATA, negative_sum)
        plain = named.forward_backward(DATA, "cross_entropy")
        norms = [grad_norm(client) for client in (model, named)]
        assert custom.result().metrics["seen"] == 1
        loss = plain.result().metrics["loss:sum"]
        assert custom.result().metrics["loss:sum"] == pytest.approx(loss)
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)

    @pytest.mark.parametrize(
        ("loss", "inputs", "config"),
        [
            ("stable_reinforce", {}, None),
            ("cross_entropy", {"mask": np.ones(4, np.float32)}, None),
            ("cross_entropy", {}, {"clip": 1.0}),
        ],
    )
    def test_refuses_what_it_can_not_compute_and_goes_on(self, model, loss, inputs, config):
        datum = to_tinker(DATUMS[1], weights=DATUMS[1].weights, **inputs)
        refused = model.forward_backward([datum], loss, config)
        after = model.forward(DATA, "cross_entropy")
        with pytest.raises(tinker.BadRequestError):
            refused.result()
        assert after.result().metrics["loss:sum"] > 0

    def test_is_over_for_a_client_whose_custom_loss_failed(self, model):
        def broken(data, rows):
            raise KeyError("beta")

        with pytest.raises(KeyError):
            model.forward_backward_custom(DATA, broken).result()
        with pytest.raises(RuntimeError, match="poisoned"):
            model.forward(DATA, "cross_entropy").result()

    def test_of_an_unknown_base_is_refused(self, service):
        with pytest.raises(tinker.BadRequestError, match="org/other"):
            service.create_lora_training_client("org/other", rank=4).result()


class TestCheckpoints:
    def test_hold_the_optimizer_where_it_is_asked_for(self, service, model):
        step(model)
        path = model.save_state("one").result().path
        assert path == f"tinker://{model.model_id}/weights/one"
        with_it = service.create_training_client_from_state_with_optimizer(path).result()
        without = service.create_training_client_from_state(path).result()
        assert with_it.get_info().lora_rank == 4
        for client in (with_it, without):
            np.testing.assert_array_equal(score(client), score(model))
            step(client)
        step(model)
        np.testing.assert_array_equal(score(with_it), score(model))
        assert np.abs(score(without) - score(model)).max() > 1e-3

    def test_hold_what_was_submitted_before_and_nothing_later(self, service, model):
        model.forward_backward(DATA, "cross_entropy")
        model.optim_step(STEP)
        scored = model.forward(DATA, "cross_entropy")
        saved = model.save_state("one")
        model.forward_backward(DATA, "cross_entropy")
        model.optim_step(STEP).result()
        again = service.create_training_client_from_state(saved.result().path).result()
        np.testing.assert_array_equal(score(again), logprobs(scored.result()))

    def test_are_listed_published_and_deleted(self, rest, model):
        path = model.save_state("one", user_metadata={"step": "1"}).result().path
        sampler = model.save_weights_for_sampler("two", ttl_seconds=3600).result().path

        def listed():
            found = rest.list_checkpoints(model.model_id).result().checkpoints
            return {checkpoint.tinker_path: checkpoint for checkpoint in found}

        assert [c.checkpoint_type for c in listed().values()] == ["training", "sampler"]
        assert listed()[path].user_metadata == {"step": "1"}
        assert listed()[path].size_bytes > 0
        assert listed()[sampler].expires_at - listed()[sampler].time == timedelta(hours=1)
        rest.publish_checkpoint_from_tinker_path(path).result()
        assert listed()[path].public
        rest.unpublish_checkpoint_from_tinker_path(path).result()
        assert not listed()[path].public
        assert rest.get_weights_info_by_tinker_path(path).result().lora_rank == 4
        run = rest.get_training_run(model.model_id).result()
        assert run.last_checkpoint.tinker_path == path
        rest.delete_checkpoint_from_tinker_path(path).result()
        assert list(listed()) == [sampler]
        mine = rest.list_user_checkpoints(limit=1000).result()
        assert sampler in {checkpoint.tinker_path for checkpoint in mine.checkpoints}
        assert mine.cursor.total_count == len(mine.checkpoints)

    def test_expire(self, double, rest, service, model):
        path = model.save_state("one", ttl_seconds=7200).result().path
        double.advance(timedelta(hours=1))
        rest.set_checkpoint_ttl_from_tinker_path(path, 3600).result()
        double.advance(timedelta(minutes=59))
        assert service.create_training_client_from_state(path).result()
        double.advance(timedelta(minutes=2))
        with pytest.raises(tinker.NotFoundError):
            service.create_training_client_from_state(path).result()

    def test_keep_their_name_unless_told_otherwise(self, model):
        model.save_state("one").result()
        with pytest.raises(tinker.BadRequestError, match="exists"):
            model.save_state("one").result()
        step(model)
        assert model.save_state("one", overwrite=True).result()

    def test_can_be_taken_home(self, rest, model):
        path = model.save_weights_external("home").result().path
        urls = rest.get_external_weights_urls(path).result().urls
        assert "adapter_model.safetensors" in urls
        for url in urls.values():
            assert httpx.get(url).content

    def test_of_one_kind_do_not_serve_as_the_other(self, service, model):
        state = model.save_state("one").result().path
        sampler = model.save_weights_for_sampler("two").result().path
        with pytest.raises(tinker.BadRequestError):
            service.create_sampling_client(model_path=state).result()
        with pytest.raises(tinker.BadRequestError):
            service.create_training_client_from_state(sampler).result()


def sample(client, **options):
    params = {"max_tokens": 8, "seed": 3, **options.pop("params", {})}
    count = options.pop("n", 1)
    return client.sample(PROMPT, count, types.SamplingParams(**params), **options).result()


class TestSampling:
    def test_from_saved_weights_is_not_moved_by_training(self, service, model):
        path = model.save_weights_for_sampler("now").result().path
        sampler = service.create_sampling_client(model_path=path).result()
        before = sample(sampler, n=2)
        step(model)
        after = sample(sampler, n=2)
        assert [s.tokens for s in before.sequences] == [s.tokens for s in after.sequences]
        assert [s.logprobs for s in before.sequences] == [s.logprobs for s in after.sequences]
        assert len({s.sequence_id for s in before.sequences + after.sequences}) == 4

    def test_scores_the_prompt(self, service, model):
        sampler = model.save_weights_and_get_sampling_client().result()
        told = sample(sampler, include_prompt_logprobs=True, topk_prompt_logprobs=260)
        assert told.prompt_logprobs[0] is None
        assert len(told.prompt_logprobs) == len(PROMPTS[0]) == len(told.topk_prompt_logprobs)
        for token, logprob, top in list(
            zip(PROMPTS[0], told.prompt_logprobs, told.topk_prompt_logprobs, strict=True)
        )[1:]:
            assert dict(top)[token] == pytest.approx(logprob, abs=1e-5)
            assert sum(np.exp([value for _, value in top])) == pytest.approx(1, rel=1e-4)
        scored = sampler.compute_logprobs(PROMPT, prompt_logprobs_last_n=2).result()
        assert scored[:-2] == [None] * (len(PROMPTS[0]) - 2)
        assert scored[-2:] == pytest.approx(told.prompt_logprobs[-2:], abs=1e-5)

    def test_ends_where_it_is_told_to(self, service):
        sampler = service.create_sampling_client(base_model=BASE).result()
        stop = list(range(0, 256, 2))
        [ended] = sample(sampler, params={"max_tokens": 60, "stop": stop}).sequences
        assert (ended.stop_reason, ended.tokens[-1] in stop) == ("stop", True)
        [endless] = sample(sampler, params={"max_tokens": 60, "stop": []}).sequences
        assert (endless.stop_reason, len(endless.tokens)) == ("length", 60)

    def test_goes_on_when_the_model_has_gone(self, double, service, model):
        sampler = model.save_weights_and_get_sampling_client().result()
        before = sampler.compute_logprobs(PROMPT).result()
        body = {"model_id": model.model_id}
        url = f"{double.base_url}/api/v1/unload_model"
        assert httpx.post(url, json=body, headers={"X-API-Key": KEY}).is_success
        assert sampler.compute_logprobs(PROMPT).result() == before
        with pytest.raises(tinker.NotFoundError):
            model.forward(DATA, "cross_entropy").result()

    def test_inflight_follows_the_model(self, service, model):
        follower = model.save_weights_and_get_sampling_client(kind="inflight").result()
        before = follower.compute_logprobs(PROMPT).result()
        step(model)
        after = follower.compute_logprobs(PROMPT).result()
        assert before[1:] != pytest.approx(after[1:], abs=1e-3)

    def test_past_the_context_is_refused(self, service):
        sampler = service.create_sampling_client(base_model=BASE).result()
        with pytest.raises(tinker.BadRequestError, match="leaves 120 tokens"):
            sample(sampler, params={"max_tokens": 121})


class TestService:
    def test_tells_its_models(self, rest):
        [model] = rest.get_server_capabilities().result().supported_models
        assert (model.model_name, model.max_context_length) == (BASE, 128)

    def test_knows_its_keys(self, double):
        with pytest.raises(tinker.AuthenticationError):
            tinker.RestClient(api_key="tml-bad", base_url=double.base_url)

    def test_notes_telemetry(self, double, monkeypatch):
        monkeypatch.setenv("TINKER_TELEMETRY", "1")
        loud = tinker.ServiceClient(api_key=KEY, base_url=double.base_url)
        assert loud.holder.get_session_id()
        loud.close("success").result(10)
        assert double.asked("/telemetry") >= 1
        assert double.telemetry
        double.telemetry.clear()

    def test_forgets_all_but_checkpoints(self, double, service, model):
        step(model)
        scored = score(model)
        state = model.save_state("one").result().path
        sampler = model.save_weights_for_sampler("two").result().path
        sampled = sample(service.create_sampling_client(model_path=sampler).result())
        double.forget()
        with pytest.raises(tinker.NotFoundError):
            model.forward(DATA, "cross_entropy").result()
        with pytest.raises(tinker.NotFoundError):
            service.create_training_client_from_state(state).result()
        with tinker.ServiceClient(api_key=KEY, base_url=double.base_url) as anew:
            again = anew.create_training_client_from_state_with_optimizer(state).result()
            np.testing.assert_array_equal(score(again), scored)
            resampled = sample(anew.create_sampling_client(model_path=sampler).result())
            assert resampled.sequences[0].tokens == sampled.sequences[0].tokens


class TestFaults:
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_status_that_passes_is_waited_out(self, double, model, status):
        double.faults.status("/optim_step", status, times=2, retry_after_ms=1)
        model.forward_backward(DATA, "cross_entropy")
        assert model.optim_step(STEP).result().metrics
        assert double.asked("/optim_step") == 3

    def test_a_status_that_stays_is_raised_and_holds_up_nothing(self, double, model):
        double.faults.status("/forward_backward", 422)
        refused = model.forward_backward(DATA, "cross_entropy")
        after = model.forward(DATA, "cross_entropy")
        with pytest.raises(tinker.UnprocessableEntityError):
            refused.result()
        assert after.result().metrics["loss:sum"] > 0

    def test_an_answer_that_breaks_off_is_asked_for_again_and_done_once(self, double, model):
        model.forward_backward(DATA, "cross_entropy")
        double.faults.cut("/optim_step")
        model.optim_step(STEP).result()
        assert double.asked("/optim_step") == 2
        double.faults.cut("/retrieve_future")
        trained = score(model)
        again = model.forward(DATA, "cross_entropy").result()
        np.testing.assert_array_equal(logprobs(again), trained)

    def test_garbage_is_an_error(self, double, model):
        double.faults.garbage("/retrieve_future")
        with pytest.raises(ValueError, match="deserialization failed"):
            model.forward(DATA, "cross_entropy").result()

    def test_work_may_fail_of_either_sides_fault(self, double, model):
        for category in ("user", "server"):
            double.faults.fail("forward_backward", "out of order", category=category)
            with pytest.raises(tinker.RequestFailedError, match="out of order") as failed:
                model.forward_backward(DATA, "cross_entropy").result()
            assert failed.value.category is RequestErrorCategory(category)
        assert model.forward_backward(DATA, "cross_entropy").result()

    def test_what_hangs_goes_on_when_the_gate_is_opened(self, double, model):
        hanging = double.faults.hang("/forward_backward")
        waiting = model.forward(DATA, "cross_entropy")
        assert hanging.reached.wait(10)
        assert not waiting.future().done()
        hanging.open()
        assert waiting.result(10)

    def test_what_is_slow_is_done_before_it_is_answered(self, double, model):
        slow = double.faults.slow("/retrieve_future")
        waiting = model.forward(DATA, "cross_entropy")
        assert slow.reached.wait(10)
        assert not waiting.future().done()
        slow.open()
        assert waiting.result(10)

    def test_a_pause_is_told(self, double, model, monkeypatch):
        monkeypatch.setattr("tinker.lib.queue_state_logger.PAUSE_GRACE_PERIOD", 0)
        seen = _Seen(logging.getLogger("tinker.lib.queue_state_logger"))
        double.faults.pause(reason="all chips are busy")
        waiting = model.forward(DATA, "cross_entropy")
        message = seen.first()
        assert "is paused. Reason: all chips are busy" in message
        double.faults.resume()
        assert waiting.result(10)


class _Seen(logging.Handler):
    """The first thing that a logger says."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._said: Queue[str] = Queue()
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._said.put(record.getMessage())

    def first(self) -> str:
        return self._said.get(timeout=10)
