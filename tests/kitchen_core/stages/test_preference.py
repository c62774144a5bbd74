"""The preference workflow in this process: on the in-memory model, and on the tiny one against the flat script."""

import math

import pytest
from transformers import AutoTokenizer

from benchmarks.reference import dpo
from kitchen_core import builtin
from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.stages.reference import ReferenceLogprobs
from kitchen_core.telemetry.schema import EventKind, Intent
from kitchen_core.train.batches import BatchPlan
from kitchen_core.workflow.context import Interrupted
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflows import PreferenceConfig, preference
from tests.kitchen_core.stages.support import Connector, file_ref, resolver, with_other_tokens
from tests.kitchen_core.stages.test_supervised import initial_adapter, values
from tests.kitchen_core.store.support import fresh_store, next_attempt, start
from tests.kitchen_core.workflow.support import context

LOG_2 = math.log(2)
CONFIG = PreferenceConfig(
    max_steps=3,
    batch_size=8,
    learning_rate=1e-3,
    device="cpu",
    threads=1,
    lora_rank=0,
    save_every=0,
    eval_every=2,
    eval_examples=20,
    eval_samples=20,
    max_tokens=4,
    log_samples=2,
)


@pytest.fixture
def store(tmp_path):
    with fresh_store(tmp_path) as opened:
        yield opened


@pytest.fixture
def run(store, tmp_path):
    """Runs the workflow with a training client and changes to the config; gives the run's id."""

    async def execute(client, writer=None, checkpoint=None, stop_at=None, **changes):
        writer = writer or start(store)
        ctx = context(writer, tmp_path, PreferenceConfig(**(CONFIG.model_dump() | changes)))
        ctx.connector = Connector(client)
        ctx.registry = writer
        ctx.resolver = resolver(writer)
        if stop_at is not None:
            ctx.stop_asked = lambda: ctx.step == stop_at
        await Runner(preference, ctx).run(checkpoint)
        return writer.run_id

    return execute


def samples(store, run_id, kind):
    logged = store.read_events(run_id=run_id, kinds=[EventKind.SAMPLE_LOGGED])
    return [event for event in logged if event.metadata["kind"] == kind]


async def test_every_step_and_every_evaluation_has_its_metrics(run, store):
    series = store.series(await run(MemoryTraining()))
    assert [step for step, _ in series["dpo_loss"]] == [0, 1, 2]
    assert [step for step, _ in series["test/dpo_loss"]] == [0, 2, 3]
    assert values(series, "progress") == pytest.approx([1 / 3, 2 / 3, 1])
    assert values(series, "num_pairs") == [8, 8, 8]
    for name in ("accuracy", "margin", "chosen_reward", "rejected_reward"):
        assert len(series[name]) == len(series[f"test/{name}"]) == 3
    for name in ("test/nll", "test/exact_match", "test/kl_sample_train_v1"):
        assert [step for step, _ in series[name]] == [0, 2, 3]


@pytest.mark.parametrize("client", [MemoryTraining, TorchLocal])
async def test_a_policy_starts_as_its_reference(run, store, client):
    series = store.series(await run(client()))
    assert values(series, "dpo_loss")[0] == pytest.approx(LOG_2, abs=1e-6)
    assert values(series, "test/dpo_loss")[0] == pytest.approx(LOG_2, abs=1e-6)
    assert values(series, "test/margin")[0] == pytest.approx(0, abs=1e-5)
    assert values(series, "test/margin")[-1] > 1e-3


async def test_the_first_metrics_are_those_of_the_flat_script(run, store):
    series = store.series(await run(TorchLocal()))
    check_against(flat_metrics(), series)


async def test_the_first_metrics_of_an_adapter_are_those_of_the_flat_script(run, store, tmp_path):
    config = CONFIG.model_copy(update={"lora_rank": 8})
    series = store.series(await run(TorchLocal(), lora_rank=8))
    adapter = await initial_adapter(tmp_path / "adapter", config)
    check_against(flat_metrics(adapter), series)


def flat_metrics(adapter=None):
    """The same batches through the flat script, which has nothing of the kitchen."""
    folder = builtin.model_folder("tiny")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = builtin.dataset_rows("preferences", "train")
    plan = BatchPlan(len(rows), CONFIG.batch_size, num_epochs=1, max_steps=3, seed=CONFIG.seed)
    batches = [
        [dpo.tokenize(tokenizer, rows[i], CONFIG.max_length) for i in plan[step]]
        for step in range(3)
    ]
    assert CONFIG.learning_rate is not None
    model = dpo.load(folder, adapter)
    return list(dpo.train(model, batches, CONFIG.learning_rate, beta=CONFIG.dpo_beta))


def check_against(flat, series):
    for name in ("dpo_loss", "margin", "chosen_reward", "rejected_reward"):
        expected = [getattr(step, name) for step in flat]
        assert values(series, name) == pytest.approx(expected, abs=1e-5), name
    accuracies = [step.accuracy for step in flat]
    assert values(series, "accuracy")[1:] == accuracies[1:]  # the first counts rounding errors


async def test_pairs_are_logged_with_the_logprob_of_every_answers_token(run, store):
    run_id = await run(TorchLocal())
    rows = samples(store, run_id, "train")
    assert [row.metadata["side"] for row in rows[:2]] == ["chosen", "rejected"]
    logged = samples(store, run_id, "pair")
    assert [(event.step, event.metadata["index"]) for event in logged] == [
        (step, index) for step in (0, 2, 3) for index in (0, 1)
    ]
    row = builtin.dataset_rows("preferences", "test")[0]
    first = logged[0].metadata
    assert first["where"] == "builtin:preferences (test) row 1"
    assert first["prompt"] == row["prompt"][0]["content"]
    assert first["chosen"] == row["chosen"][0]["content"]
    assert first["rejected"] == row["rejected"][0]["content"]
    assert "".join(text for text, _ in first["chosen_tokens"]).startswith(first["chosen"])
    assert all(logprob <= 0 for _, logprob in first["chosen_tokens"] + first["rejected_tokens"])
    for event in logged:
        told = event.measurements
        assert told["margin"] == pytest.approx(told["chosen_reward"] - told["rejected_reward"])


async def test_rewards_of_logged_pairs_are_how_far_their_logprobs_have_moved(run, store):
    first, *_, last = [
        event
        for event in samples(store, await run(TorchLocal()), "pair")
        if event.metadata["index"] == 0
    ]
    for side in ("chosen", "rejected"):
        before, after = (
            sum(logprob for _, logprob in event.metadata[f"{side}_tokens"])
            for event in (first, last)
        )
        reward = last.measurements[f"{side}_reward"]
        assert reward == pytest.approx(CONFIG.dpo_beta * (after - before), abs=1e-5)


async def test_prompts_are_answered_and_held_against_the_chosen_answer(run, store):
    answers = samples(store, await run(MemoryTraining()), "answer")
    row = builtin.dataset_rows("preferences", "test")[0]
    assert answers[0].metadata["question"] == row["prompt"][0]["content"]
    assert answers[0].metadata["expected"] == row["chosen"][0]["content"]


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "ipo", "length_normalized": True},
        {"loss": "robust", "label_smoothing": 0.1},
        {"loss": "hinge"},
        {"loss": "simpo"},
        {"loss": "orpo"},
        {"loss": "kto"},
        {"loss": "dpo", "sft_coef": 1.0},
    ],
)
async def test_every_loss_pulls_the_answers_apart(run, store, changes):
    series = store.series(await run(TorchLocal(), max_steps=6, eval_every=6, **changes))
    before, after = values(series, "test/margin")
    assert after > before
    name = f"test/{changes['loss']}_loss"
    assert values(series, name)[-1] < values(series, name)[0]


async def test_kto_needs_no_held_out_pairs(run, store, tmp_path):
    ref = file_ref(tmp_path / "pairs.jsonl", builtin.dataset_rows("preferences", "train")[:24])
    changes = {"dataset": ref, "test_fraction": 0.0, "eval_every": 0}
    series = store.series(await run(MemoryTraining(), loss="kto", **changes))
    assert len(series["kto_loss"]) == 3


# The reference, and going on.


def newest_checkpoint(store, run_id):
    saved = [a for a in store.list_artifacts(run_id) if a.name.startswith("checkpoints/")]
    return saved[-1].as_record()


async def interrupted(run, store, client, **changes):
    """A run that was stopped behind step 2, the writer of its next attempt, and its checkpoint."""
    writer = start(store)
    with pytest.raises(Interrupted):
        await run(client, writer, stop_at=2, **changes)
    again = type(writer)(store, writer.run_id, next_attempt(store, writer.run_id))
    return again, newest_checkpoint(store, writer.run_id)


@pytest.fixture
def computed(monkeypatch):
    """How often the reference was asked to score."""
    asked = []
    compute = ReferenceLogprobs._computed

    async def counting(self, *given):
        asked.append(given)
        return await compute(self, *given)

    monkeypatch.setattr(ReferenceLogprobs, "_computed", counting)
    return asked


SPLIT = {"max_steps": 5, "eval_every": 0, "learning_rate": 1e-2}


async def test_a_run_that_goes_on_amid_an_epoch_ends_as_one_that_was_not_stopped(
    run, store, computed
):
    whole = await run(TorchLocal(), **SPLIT)
    writer, checkpoint = await interrupted(run, store, TorchLocal(), **SPLIT)
    assert checkpoint.step == 2
    computed.clear()
    await run(TorchLocal(), writer, checkpoint.path, **SPLIT)
    assert not computed  # the reference's logprobs were read
    finals = [store.get_artifact(run_id, "final").sha256 for run_id in (whole, writer.run_id)]
    assert finals[0] == finals[1]
    for name in ("dpo_loss", "margin", "chosen_reward"):
        assert store.series(whole)[name] == store.series(writer.run_id)[name]


async def test_a_run_that_goes_on_is_held_to_the_model_it_began_with(run, store, computed):
    """Not to the weights that it goes on from, with which its margin would start at 0 again."""
    whole = await run(TorchLocal(), **SPLIT)
    writer, checkpoint = await interrupted(run, store, TorchLocal(), **SPLIT)
    writer.remove("reference")
    computed.clear()
    await run(TorchLocal(), writer, checkpoint.path, **SPLIT)
    assert len(computed) == 1
    margins = values(store.series(writer.run_id), "margin")
    assert margins == values(store.series(whole), "margin")
    assert abs(margins[2]) > 0.1


async def test_damaged_reference_logprobs_are_computed_anew(run, store, computed):
    writer, checkpoint = await interrupted(run, store, MemoryTraining(), **SPLIT)
    (kept,) = writer.stored("reference")
    (kept.path / "train.npy").chmod(0o600)
    (kept.path / "train.npy").write_bytes(b"nonsense")
    computed.clear()
    await run(MemoryTraining(), writer, checkpoint.path, **SPLIT)
    assert len(computed) == 1
    logs = store.read_events(run_id=writer.run_id, kinds=[EventKind.LOG])
    assert any("computing them anew" in event.metadata["message"] for event in logs)


async def test_scoring_by_the_reference_can_be_stopped(store, tmp_path):
    writer = start(store)
    ctx = context(writer, tmp_path, CONFIG)
    ctx.connector = Connector(MemoryTraining())
    ctx.resolver = resolver(writer)
    ctx.stop_asked = lambda: "held_out_pairs" in ctx.state
    store.set_intent(writer.run_id, Intent.CANCEL)
    with pytest.raises(Interrupted):
        await Runner(preference, ctx).run()
    assert not writer.stored("reference")


async def test_a_loss_without_a_reference_asks_none(run, store, computed):
    run_id = await run(MemoryTraining(), loss="simpo")
    assert not computed
    assert not [a for a in store.list_artifacts(run_id) if a.name == "reference"]


async def test_only_the_pairs_of_the_plan_are_scored(run, store):
    run_id = await run(MemoryTraining(), max_steps=3, batch_size=8, num_epochs=2)
    import numpy as np

    kept = store.get_artifact(run_id, "reference").path
    assert np.load(kept / "train.npy").shape == (24, 2)
    assert np.load(kept / "held_out.npy").shape == (20, 2)


async def test_another_model_can_be_the_reference(run, store):
    """The trained model of an earlier run, say: then a policy does not start at a margin of 0."""
    settings = {"learning_rate": 1e-2, "eval_examples": 20}
    trained = store.get_artifact(await run(TorchLocal(), **settings), "final").path
    series = store.series(
        await run(TorchLocal(), reference_model=f"file:{trained}", dpo_beta=0.1, **settings)
    )
    same = store.series(await run(TorchLocal(), model=f"file:{trained}", **settings))
    assert values(series, "test/margin")[0] < -0.1
    assert values(same, "test/margin")[0] == pytest.approx(0, abs=1e-5)


async def test_a_reference_that_tokenizes_otherwise_is_refused(run, tmp_path):
    other = with_other_tokens(tmp_path / "other")
    with pytest.raises(StageFailed, match=r"the reference_model file:.*other does not tokenize as"):
        await run(TorchLocal(), reference_model=other)
