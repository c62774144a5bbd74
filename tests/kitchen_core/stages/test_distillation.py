"""The distillation workflow in this process, on the in-memory model and on the tiny ones."""

import json

import pytest
import torch

from kitchen_core import builtin
from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.adapters.memory.llm import MemoryLlm
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.telemetry.schema import EventKind
from kitchen_core.train import rng
from kitchen_core.train.ports.errors import AuthError, InvalidRequest
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflows import DistillationConfig, distillation
from recipes.distillation import recipe
from tests.contracts.models import make_llama
from tests.kitchen_core.stages.support import file_ref, resolver
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

torch.set_num_threads(1)

BASE = {
    "dataset": "builtin:prompts",
    "teacher": "builtin:tiny-rl",
    "max_steps": 3,
    "groups_per_batch": 8,
    "learning_rate": 6e-4,
    "device": "cpu",
    "threads": 1,
    "lora_rank": 0,
    "save_every": 0,
    "eval_every": 0,
    "max_tokens": 6,
    "max_length": 64,
    "log_samples": 2,
}
TINY = BASE | {"model": "builtin:tiny-sl"}


class Ports:
    """The ports of a run: a training client, and a chat model."""

    def __init__(self, client, llm=None):
        self._ports = {"training_client": client, "llm": llm}

    def connect(self, port):
        return self._ports[port]


class Finished:
    """What a run left behind."""

    def __init__(self, store, run_id):
        self.run_id = run_id
        series = store.series(run_id)
        self.series = {name: [v for _, v in points] for name, points in series.items()}
        self.events = store.read_events(run_id=run_id)
        self.final = store.get_artifact(run_id, "final").sha256

    @property
    def distilled(self):
        logged = [e for e in self.events if e.kind is EventKind.SAMPLE_LOGGED]
        return [e for e in logged if e.metadata["kind"] == "distilled"]

    @property
    def warnings(self):
        logs = [e.metadata for e in self.events if e.kind is EventKind.LOG]
        return [each["message"] for each in logs if each["level"] == "warning"]


@pytest.fixture
def store(tmp_path):
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def run(store, tmp_path):
    """Runs the workflow with settings over the tiny ones."""

    async def execute(
        settings=TINY, client=None, llm=None, writer=None, checkpoint=None, **changes
    ):
        config = DistillationConfig(**(settings | changes))
        writer = writer or start(store)
        ctx = context(writer, tmp_path, config)
        ctx.connector = Ports(client or TorchLocal(), llm)
        ctx.registry = writer
        ctx.resolver = resolver(writer)
        await Runner(distillation, ctx).run(checkpoint)
        return Finished(store, writer.run_id)

    return execute


@pytest.mark.parametrize("kl", ["exact", "sampled"])
async def test_the_student_comes_nearer_to_its_teacher(run, kl):
    done = await run(kl=kl, max_steps=8, groups_per_batch=32)
    first, last = done.series["teacher_kl"][0], done.series["teacher_kl"][-1]
    assert first > 0.1
    assert last < first / 2
    assert done.series["optim/kl_sample_train_v1"] == pytest.approx([0] * 8, abs=1e-5)
    assert done.series["num_sequences"] == [32] * 8


async def test_the_exact_distance_is_what_the_sampled_one_estimates(run):
    """On one and the same batch, whose 512 answers are long enough for a small error."""
    both = [
        await run(kl=kl, max_steps=1, groups_per_batch=128, group_size=4)
        for kl in ("exact", "sampled")
    ]
    exact, sampled = (done.series["teacher_kl"][0] for done in both)
    assert sampled == pytest.approx(exact, rel=0.25)


async def test_every_answer_is_logged_token_by_token(run):
    done = await run(eval_every=2, eval_samples=4, eval_examples=4)
    assert [(e.step, e.metadata["index"]) for e in done.distilled] == [
        (0, 0),
        (0, 1),
        (2, 0),
        (2, 1),
    ]
    for event in done.distilled:
        told = event.metadata
        gaps = [student - teacher for _, student, teacher in told["tokens"]]
        assert event.measurements["kl"] == pytest.approx(sum(gaps) / len(gaps), abs=1e-5)
        assert told["teacher"] == "builtin:tiny-rl"
        assert told["question"].startswith("What is ")
        assert told["where"].startswith("builtin:prompts row ")
    assert len(done.series["test/exact_match"]) == 3  # the test rows have answers


async def test_a_run_that_is_resumed_ends_with_the_same_weights(run, store, tmp_path):
    whole = await run(max_steps=5, save_every=2, kl="sampled", group_size=2)
    again = start(store)
    checkpoint = store.get_artifact(whole.run_id, "checkpoints/000002").path
    resumed = await run(
        max_steps=5, save_every=2, kl="sampled", group_size=2, writer=again, checkpoint=checkpoint
    )
    assert resumed.final == whole.final
    assert len(resumed.series["teacher_kl"]) == 3


@pytest.mark.parametrize(
    "mode",
    [
        {"kl": "exact"},
        {"mode": "off_policy"},
        {"mode": "off_policy", "top_k_targets": 4, "mix_teachers": {"builtin:tiny": 0.5}},
    ],
    ids=lambda mode: mode.get("mode", "on_policy"),
)
async def test_the_same_seed_gives_the_same_bytes(run, mode):
    one, other = await run(**mode), await run(**mode)
    assert one.final == other.final
    assert (await run(**mode, seed=1)).final != one.final


async def test_several_teachers_teach_by_their_shares(run):
    """The distance from a mixture of opinions is the mean of the distances by share."""
    each = {"max_steps": 1, "kl": "exact"}
    good = (await run(**each)).series["teacher_kl"][0]
    poor = (await run(**each, teacher="builtin:tiny")).series["teacher_kl"][0]
    mixed = (await run(**each, mix_teachers={"builtin:tiny": 3})).series["teacher_kl"][0]
    assert mixed == pytest.approx(good / 4 + poor * 3 / 4, rel=1e-4)


async def test_each_set_has_a_distance_of_its_own(run):
    for kl in ("exact", "sampled"):
        done = await run(max_steps=1, groups_per_batch=32, kl=kl, mix={"builtin:math": 1.0})
        one, other = (done.series[f"teacher_kl/dataset_{k}"][0] for k in (0, 1))
        assert min(one, other) < done.series["teacher_kl"][0] < max(one, other)


@pytest.mark.parametrize("top_k_targets", [0, 4])
async def test_a_teachers_answers_are_learnt(run, top_k_targets):
    """Those that it gives, or its whole opinion at every place of them."""
    measure = {"eval_every": 10, "eval_samples": 0, "eval_examples": 200}
    done = await run(
        mode="off_policy",
        top_k_targets=top_k_targets,
        max_steps=10,
        groups_per_batch=32,
        **measure,
    )
    assert done.series["test/nll"][-1] < done.series["test/nll"][0] - 0.02
    assert "teacher_kl" not in done.series


async def test_answers_that_are_cut_off_are_counted_and_never_trained(run):
    done = await run(mode="off_policy", max_tokens=2)
    assert done.series["left_out/cut_off"] == [8] * 3
    assert "num_sequences" not in done.series
    assert "every answer is left out (8 cut_off)" in done.warnings[0]


async def test_a_model_teaches_itself_with_a_prompt_that_tells_more(run):
    done = await run(
        teacher=None, dataset="builtin:math", teacher_prompt="{question} {answer}", kl="exact"
    )
    assert done.series["teacher_kl"][0] > 0.01


async def test_a_prompt_that_wants_an_answer_is_refused_where_there_is_none(run):
    with pytest.raises(StageFailed, match=r"builtin:prompts row 1: teacher_prompt fills in"):
        await run(teacher=None, teacher_prompt="{question} {answer}")


async def test_a_teacher_that_tokenizes_otherwise_is_refused(run, tmp_path):
    folder = make_llama(tmp_path / "other")
    with pytest.raises(
        StageFailed, match=r"does not tokenize as the model in training does: it reads 'What is"
    ):
        await run(teacher=f"file:{folder}")


async def test_the_teacher_is_in_the_lineage(run, store):
    done = await run(max_steps=1)
    nodes, edges = store.graph(f"run:{done.run_id}")
    names = {node.id: node.name for node in nodes}
    assert ("builtin:tiny-rl", "teacher") in {(names[e.source], e.role) for e in edges}


async def test_prompts_that_are_too_long_are_left_out_and_told(run, tmp_path):
    rows = [{"question": "What is 1 + 1?"}] * 9 + [{"question": "What is 1 + 1? " * 20}]
    done = await run(dataset=file_ref(tmp_path / "rows.jsonl", rows), max_steps=1)
    assert (
        "1 rows have a prompt beyond max_length=64 and are left out, row 10 first"
        in done.warnings[0]
    )


CHAT = BASE | {"model": "builtin:tiny-sl", "teacher": None, "mode": "off_policy"}


def boxed(asked):
    left, right = asked.removeprefix("What is ").removesuffix("?").split(" + ")
    return f"\\boxed{{{int(left) + int(right)}}}"


async def test_a_chat_model_teaches_by_its_texts(run):
    llm = MemoryLlm({"sums": boxed})
    done = await run(
        CHAT, llm=llm, llm_teacher="sums", max_steps=8, groups_per_batch=32, eval_every=8
    )
    assert done.series["train_mean_nll"][-1] < done.series["train_mean_nll"][0]
    (first, *_) = done.distilled
    assert first.metadata["teacher"] == "sums"
    assert "".join(text for text, _, _ in first.metadata["tokens"]) == (
        boxed(first.metadata["question"]) + "<|end|>"
    )
    assert {teacher for _, _, teacher in first.metadata["tokens"]} == {None}


async def test_what_a_chat_model_refuses_or_leaves_empty_is_left_out(run):
    llm = MemoryLlm({"shy": lambda asked: "" if "1" in asked else boxed(asked)})
    llm.fail(InvalidRequest("no"), InvalidRequest("no"))
    done = await run(CHAT, llm=llm, llm_teacher="shy", max_steps=1, groups_per_batch=32)
    assert done.series["left_out/refused"] == [2]
    assert done.series["left_out/empty"][0] > 5
    assert done.series["num_sequences"][0] == 30 - done.series["left_out/empty"][0]


async def test_where_a_chat_model_refuses_everything_what_it_said_is_told(run):
    """It may be the settings that it refuses, and no conversation."""
    llm = MemoryLlm({"shy": boxed})
    llm.fail(*[InvalidRequest("it knows no temperature") for _ in range(4)])
    done = await run(CHAT, llm=llm, llm_teacher="shy", max_steps=1, groups_per_batch=4)
    (told,) = (message for message in done.warnings if message.startswith("step 0"))
    assert "every answer is left out (4 refused), so nothing is learnt" in told
    assert "it knows no temperature" in told
    assert "max_tokens" not in told


async def test_a_chat_model_that_fails_otherwise_fails_the_run(run):
    llm = MemoryLlm()
    llm.fail(AuthError("the key"))
    with pytest.raises(StageFailed, match="AnswerPrompts"):
        await run(CHAT, llm=llm, llm_teacher="parrot")


async def test_it_runs_on_the_in_memory_model(run):
    done = await run(BASE, MemoryTraining(), kl="exact", teacher="builtin:tiny-sl")
    assert len(done.series["teacher_kl"]) == 3


class WithoutDivergence(MemoryTraining):
    """A backend that gives numbers of tokens and no distributions."""

    async def start_session(self, spec):
        session = await super().start_session(spec)
        session.has_divergence = False
        session.forward_backward_divergence = None
        return session


async def test_by_itself_the_distance_is_exact_where_the_backend_can_and_sampled_elsewhere(run):
    one = {"max_steps": 1, "teacher": "builtin:tiny-sl"}
    exact, sampled = [
        (await run(BASE | one, MemoryTraining(), kl=kl)).series["teacher_kl"]
        for kl in ("exact", "sampled")
    ]
    assert (await run(BASE | one, MemoryTraining())).series["teacher_kl"] == exact
    assert (await run(BASE | one, WithoutDivergence())).series["teacher_kl"] == sampled


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
async def test_the_recipe_brings_the_student_within_three_points_of_its_teacher(run, seed):
    config = recipe.config.model_dump() | {"seed": seed, "device": "cpu", "threads": 1}
    done = await run(config | {"eval_every": 40})
    teacher = await run(config | {"model": "builtin:tiny-rl", "eval_every": 1, "max_steps": 1})
    reached = done.series["test/exact_match"][-1]
    assert reached > teacher.series["test/exact_match"][0] - 0.03
    assert reached > done.series["test/exact_match"][0] + 0.2


def test_the_streams_of_a_step_differ():
    names = [("rollout", 0), ("teacher", 0), ("teacher", 0, 0), ("rollout", 1)]
    assert len({rng.seed_for(0, *name) for name in names}) == len(names)


def test_the_embedded_prompts_have_no_answers_to_train_on():
    rows = builtin.dataset_rows("prompts", "train")
    assert {json.dumps([turn["role"] for turn in row["messages"]]) for row in rows} == {'["user"]'}
