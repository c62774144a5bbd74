"""The supervised workflow in this process: on the in-memory model, and on the tiny one against the flat script."""

import math
import re

import numpy as np
import pytest
from transformers import AutoTokenizer

from benchmarks.reference import sft
from kitchen_core import builtin
from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.stages.evaluation import Answer, exact_match
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train import rng
from kitchen_core.train.batches import BatchPlan
from kitchen_core.train.types import LoraSpec, ModelSource, Sample, SessionSpec
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflows import SupervisedConfig, supervised
from tests.kitchen_core.stages.support import Connector, resolver
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

CONFIG = SupervisedConfig(
    max_steps=3,
    batch_size=8,
    micro_batch_tokens=4,
    learning_rate=1e-3,
    device="cpu",
    threads=1,
    lora_rank=0,
    save_every=0,
    eval_every=2,
    eval_examples=20,
    max_tokens=4,
    register_as="mine",
)


@pytest.fixture
def run(tmp_path):
    """Runs the workflow with a training client and a config; gives the store, the run's id and its series."""
    store = fresh_store(tmp_path)

    async def execute(client, config=CONFIG):
        writer = start(store)
        ctx = context(writer, tmp_path, config)
        ctx.connector = Connector(client)
        ctx.registry = writer
        ctx.resolver = resolver(writer)
        await Runner(supervised, ctx).run()
        return store, writer.run_id, store.series(writer.run_id)

    yield execute
    store.close()


def values(series, name):
    return [value for _, value in series[name]]


async def test_every_step_and_every_evaluation_has_its_metrics(run):
    _, _, series = await run(MemoryTraining())
    assert [step for step, _ in series["train_mean_nll"]] == [0, 1, 2]
    assert [step for step, _ in series["test/nll"]] == [0, 2, 3]
    assert values(series, "progress") == pytest.approx([1 / 3, 2 / 3, 1])
    assert values(series, "learning_rate") == pytest.approx([1e-3, 1e-3 * 2 / 3, 1e-3 / 3])
    assert values(series, "num_sequences") == [8, 8, 8]


async def test_rows_of_the_coming_batch_are_logged_with_what_is_trained(run):
    store, run_id, _ = await run(MemoryTraining(), CONFIG.model_copy(update={"log_samples": 2}))
    logged = store.read_events(run_id=run_id, kinds=[EventKind.SAMPLE_LOGGED])
    rows = [event for event in logged if event.metadata["kind"] == "train"]
    assert [(event.step, event.metadata["index"]) for event in rows] == [
        (0, 0),
        (0, 1),
        (2, 0),
        (2, 1),
    ]  # no batch comes after the last step
    data = builtin.dataset_rows("arithmetic", "train")
    plan = BatchPlan(len(data), batch_size=8, num_epochs=1, max_steps=3, seed=0)
    for event in rows:
        number = plan[event.step][event.metadata["index"]]
        user, assistant = data[number]["messages"]
        told = event.metadata
        assert told["where"] == f"builtin:arithmetic row {number + 1}"
        asked, answered = told["segments"]
        assert (asked["trained"], answered["trained"]) == (False, True)
        assert asked["text"] == f"<user>{user['content']}<eos><assistant>"
        assert answered["text"] == f"{assistant['content']}<eos>"
        assert told["num_loss_tokens"] == answered["tokens"] == len(assistant["content"]) + 1
        assert told["num_tokens"] == asked["tokens"] + answered["tokens"]


async def test_the_same_questions_are_answered_at_every_evaluation(run):
    store, run_id, _ = await run(MemoryTraining())
    logged = store.read_events(run_id=run_id, kinds=[EventKind.SAMPLE_LOGGED])
    answers = [event for event in logged if event.metadata["kind"] == "answer"]
    assert [event.step for event in answers] == [0] * 4 + [2] * 4 + [3] * 4
    assert {event.metadata["expected"][:6] for event in answers} == {"\\boxed"}
    questions = [event.metadata["question"] for event in answers]
    assert questions[:4] == questions[4:8] == questions[8:]
    assert all(event.measurements["logprob"] < 0 for event in answers)


async def test_an_answer_is_logged_token_by_token_control_tokens_included(run):
    store, run_id, _ = await run(TorchLocal(), CONFIG.model_copy(update={"max_tokens": 40}))
    logged = store.read_events(run_id=run_id, kinds=[EventKind.SAMPLE_LOGGED])
    answers = [event for event in logged if event.metadata["kind"] == "answer"]
    for event in answers:
        texts, logprobs = zip(*event.metadata["tokens"], strict=True)
        assert sum(logprobs) == pytest.approx(event.measurements["logprob"], abs=1e-4)
        said = re.sub(r"<\|\w+\|>", "", "".join(texts))
        assert said == event.metadata["completion"]


async def test_sampler_and_trainer_agree(run):
    _, _, series = await run(TorchLocal())
    assert [step for step, _ in series["test/kl_sample_train_v1"]] == [0, 2, 3]
    assert values(series, "test/kl_sample_train_v1") == pytest.approx([0] * 3, abs=1e-5)
    assert values(series, "test/kl_sample_train_v2") == pytest.approx([0] * 3, abs=1e-9)


async def test_the_final_model_is_registered_under_its_name(run):
    store, run_id, _ = await run(MemoryTraining())
    version = store.resolve("mine", "latest")
    assert (version.version, version.run_id) == (1, run_id)
    assert version.artifact_sha256 == store.get_artifact(run_id, "final").sha256


@pytest.mark.parametrize("reduction", ["token", "example"])
async def test_the_first_losses_are_those_of_the_flat_script(run, reduction):
    config = CONFIG.model_copy(update={"reduction": reduction})
    _, _, series = await run(TorchLocal(), config)
    assert values(series, "train_mean_nll") == pytest.approx(flat_losses(config), abs=1e-5)


async def test_the_first_losses_of_an_adapter_are_those_of_the_flat_script(run, tmp_path):
    config = CONFIG.model_copy(update={"lora_rank": 8})
    _, _, series = await run(TorchLocal(), config)
    adapter = await initial_adapter(tmp_path / "adapter", config)
    assert values(series, "train_mean_nll") == pytest.approx(flat_losses(config, adapter), abs=1e-5)


def flat_losses(config, adapter=None):
    """The same batches through the flat script, which has nothing of the kitchen."""
    folder = builtin.model_folder("tiny")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = builtin.dataset_rows("arithmetic", "train")
    plan = BatchPlan(len(rows), config.batch_size, num_epochs=1, max_steps=3, seed=config.seed)
    batches = [
        [sft.tokenize(tokenizer, rows[i], config.max_length) for i in plan[step]]
        for step in range(3)
    ]
    return list(
        sft.train(
            sft.load(folder, adapter), batches, config.learning_rate, reduction=config.reduction
        )
    )


async def initial_adapter(folder, config):
    """The adapter that a run of this config starts from, in PEFT's form."""
    spec = SessionSpec(
        ModelSource("builtin:tiny", builtin.model_folder("tiny")),
        LoraSpec(config.lora_rank),
        seed=rng.seed_for(config.seed, "session"),
    )
    session = await TorchLocal().start_session(spec)
    await session.export(folder)
    await session.close()
    return folder


async def test_without_evaluation_nothing_is_measured(run):
    _, _, series = await run(MemoryTraining(), CONFIG.model_copy(update={"eval_every": 0}))
    assert not [name for name in series if name.startswith("test/")]


async def test_examples_cut_before_their_answers_are_refused(run):
    with pytest.raises(StageFailed, match=r"builtin:arithmetic: none of \d+ rows has a token"):
        await run(MemoryTraining(), CONFIG.model_copy(update={"max_length": 4}))


def answers(*right):
    sample = Sample([1], np.zeros(1, np.float32), "stop")
    return [Answer("?", "?", "a", "b", each, sample) for each in right]


def test_exact_match_has_the_standard_error_of_a_share():
    # p = 1/4 over n = 16: sqrt(.25 * .75 / 16)
    share, error = exact_match(answers(*[True] * 4, *[False] * 12))
    assert (share, error) == (0.25, pytest.approx(math.sqrt(0.1875 / 16)))
