"""The kitchen's steps of on-policy distillation on recorded answers: those of tinker-cookbook, and those of
the flat script.

`tests/fixtures/parity/distillation` holds what the cookbook's own functions did over a Tinker server, the
LoRA states of student and teacher, and the script that recorded it.
"""

import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch

from benchmarks.reference import distillation as flat
from kitchen_core.adapters.torch_local import TorchLocal
from kitchen_core.stages.distillation import (
    BuildDistillDatums,
    ForwardBackwardDistill,
    LogDistillation,
)
from kitchen_core.stages.distillation.answering import Answered
from kitchen_core.stages.teachers import Teacher, Teachers
from kitchen_core.stages.training import OptimStep
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.datums import datum_of_completion
from kitchen_core.train.distillation.lesson import Lesson
from kitchen_core.train.distillation.prompts import Prompt
from kitchen_core.train.types import LoraSpec, Message, ModelSource, SessionSpec
from kitchen_core.workflow.graph import Workflow, loop, stage
from kitchen_core.workflow.runner import Runner
from kitchen_core.workflow.stage import Keeping, Stage
from kitchen_core.workflows import DistillationConfig
from tests.kitchen_core.store.support import fresh_store, start
from tests.kitchen_core.workflow.support import context

torch.set_num_threads(1)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "parity" / "distillation"
BASE = FIXTURES.parent / "supervised" / "base"
RECORDED = json.loads((FIXTURES / "recorded.json").read_text(encoding="utf-8"))
SETTINGS, RUNS = RECORDED["settings"], RECORDED["runs"]
CONFIG = DistillationConfig(
    teacher="the adapter of the fixtures",
    kl="sampled",
    learning_rate=SETTINGS["learning_rate"],
    lr_schedule=SETTINGS["lr_schedule"],
    grad_clip_norm=0,
)


class Batches(list):
    """Recorded steps as the item of a loop."""

    fingerprint = "recorded"


class GivenModels(Stage):
    """Start student and teacher from the fixtures."""

    name = "GivenModels"
    writes = MappingProxyType(
        dict.fromkeys(("session", "teachers", "batches", "peak_lr"), Keeping.REBUILT)
    )

    def __init__(self, steps):
        super().__init__()
        self._steps = steps

    async def run(self, ctx):
        lora = LoraSpec(SETTINGS["lora"]["rank"], SETTINGS["lora"]["alpha"])
        source = ModelSource("base", BASE, FIXTURES / "student")
        session = await TorchLocal().start_session(SessionSpec(source, lora, seed=0))
        teacher = await session.teacher(ModelSource("base", BASE, FIXTURES / "teacher"))
        ctx.state["session"] = session
        ctx.state["teachers"] = Teachers((Teacher("teacher", teacher, 1.0),), "recorded")
        ctx.state["batches"] = Batches(self._steps)
        ctx.state["peak_lr"] = ctx.config.learning_rate


class GivenAnswers(Stage):
    """The recorded answers in place of the student's own."""

    name = "GivenAnswers"
    reads = ("batch",)
    writes = MappingProxyType({"answered": Keeping.REBUILT})

    async def run(self, ctx):
        lessons = [lesson_of(answer) for answer in ctx.state["batch"]["answers"]]
        ctx.state["answered"] = Answered(lessons, epoch=0, seconds=0.0)


class KeepStep(Stage):
    """Note what the step made and gave."""

    name = "KeepStep"
    reads = ("distill_batch", "learnt")

    def __init__(self, kept):
        super().__init__()
        self._kept = kept

    async def run(self, ctx):
        self._kept.append((ctx.state["distill_batch"].datums, ctx.state["learnt"].logprobs))


def lesson_of(answer):
    asked = Conversation((Message("user", "?"),))
    prompt = Prompt(asked, answer["prompt"], asked, answer["prompt"], dataset=0)
    datum = datum_of_completion(answer["prompt"], answer["tokens"])
    return Lesson(prompt, answer["tokens"], np.array(answer["logprobs"], np.float32), datum)


async def taken(steps, config, tmp_path):
    """Take the recorded steps: what each made and gave, and the series."""
    kept = []
    body = (
        stage(GivenModels(steps)),
        loop(
            "steps",
            stage(GivenAnswers()),
            stage(BuildDistillDatums()),
            stage(ForwardBackwardDistill()),
            stage(OptimStep()),
            stage(LogDistillation()),
            stage(KeepStep(kept)),
            over="batches",
            item="batch",
            counts_steps=True,
        ),
    )
    with fresh_store(tmp_path) as store:
        writer = start(store)
        ctx = context(writer, tmp_path, config)
        await Runner(Workflow("recorded", "A test's.", DistillationConfig, body), ctx).run()
        await ctx.state["session"].close()
        series = store.series(writer.run_id)
    return kept, {name: [value for _, value in points] for name, points in series.items()}


def of_flat(steps, kl, discount=0.0):
    """The distances that the flat script finds on the same answers."""
    batches = [[flat.Answer(**answer) for answer in step["answers"]] for step in steps]
    return list(
        flat.train(
            flat.load(BASE, FIXTURES / "student"),
            flat.load(BASE, FIXTURES / "teacher").requires_grad_(False),
            batches,
            SETTINGS["learning_rate"],
            steps=len(batches),
            kl=kl,
            discount=discount,
            lr_schedule="constant",
            grad_clip_norm=0,
        )
    )


def test_there_was_something_to_learn():
    first, *_, last = RUNS["plain"]
    assert len(RUNS["plain"]) == 3
    assert all(step["metrics"]["teacher_kl"] > 0.3 for step in RUNS["plain"])
    assert last["metrics"]["optim/entropy"] < first["metrics"]["optim/entropy"] - 0.02


@pytest.mark.parametrize("run", RUNS)
async def test_the_steps_give_the_numbers_of_the_cookbook(run, tmp_path):
    """The cookbook's discounted sums reach into the prompt; there the kitchen learns nothing."""
    config = CONFIG.model_copy(update={"kl_discount_factor": SETTINGS["kl_discount_factor"][run]})
    kept, series = await taken(RUNS[run], config, tmp_path)
    for step, ((datums, logprobs), recorded) in enumerate(zip(kept, RUNS[run], strict=True)):
        for name in ("teacher_kl", "teacher_kl/dataset_0", "optim/entropy"):
            assert series[name][step] == pytest.approx(recorded["metrics"][name], abs=1e-4)
        for name in ("optim/kl_sample_train_v1", "optim/kl_sample_train_v2"):
            assert series[name][step] == pytest.approx(recorded["metrics"][name], abs=1e-4)
        told = zip(datums, logprobs, recorded["advantages"], recorded["logprobs"], strict=True)
        for datum, ours, advantages, theirs in told:
            counts = datum.weights > 0
            assert datum.extra["advantages"][counts] == pytest.approx(
                np.array(advantages)[counts], abs=1e-4
            )
            assert not datum.extra["advantages"][~counts].any()
            assert ours[counts] == pytest.approx(np.array(theirs)[counts], abs=1e-4)


@pytest.mark.parametrize("run", RUNS)
async def test_the_estimate_at_sampled_tokens_is_that_of_the_flat_script(run, tmp_path):
    discount = SETTINGS["kl_discount_factor"][run]
    config = CONFIG.model_copy(update={"kl_discount_factor": discount})
    _, series = await taken(RUNS[run], config, tmp_path)
    expected = of_flat(RUNS[run], "sampled", discount)
    assert series["teacher_kl"] == pytest.approx(expected, abs=1e-5)


async def test_the_exact_distance_is_that_of_the_flat_script(tmp_path):
    _, series = await taken(RUNS["plain"], CONFIG.model_copy(update={"kl": "exact"}), tmp_path)
    expected = of_flat(RUNS["plain"], "exact")
    assert series["teacher_kl"] == pytest.approx(expected, abs=1e-5)
    assert expected[0] != pytest.approx(RUNS["plain"][0]["metrics"]["teacher_kl"], abs=1e-3)
