"""Early stopping and keeping the best, over scripted measurements and a real session in training."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from kitchen_core import builtin
from kitchen_core.adapters.memory import MemoryTraining
from kitchen_core.config import ConfigError, with_overrides
from kitchen_core.stages.best import (
    BeginBest,
    DropBest,
    RestoreBest,
    TrackBest,
    not_measured,
    waited_long,
)
from kitchen_core.stages.saving import Checkpoint, SaveFinal
from kitchen_core.store import RunWriter
from kitchen_core.telemetry.schema import EventKind, Intent
from kitchen_core.train.types import AdamParams, Datum, LossSpec, ModelSource, SessionSpec
from kitchen_core.workflow.context import Interrupted
from kitchen_core.workflow.graph import every, is_set, stage, stream, when
from kitchen_core.workflow.runner import Runner, StageFailed
from kitchen_core.workflow.stage import Keeping
from kitchen_core.workflows import SupervisedConfig
from tests.kitchen_core.store.support import fresh_store, next_attempt, start
from tests.kitchen_core.workflow.support import context, make_stage, putting, workflow

STEPS = 8
SPEC = SessionSpec(ModelSource("builtin:tiny", builtin.model_folder("tiny")), None, seed=0)


@pytest.fixture
def store(tmp_path):
    made = fresh_store(tmp_path)
    yield made
    made.close()


async def init_session(ctx):
    ctx.state["session"] = await MemoryTraining().start_session(SPEC)


async def train(ctx):
    ones = np.ones(2, np.int64)
    session = ctx.state["session"]
    session.forward_backward([Datum(ones, ones, np.ones(2, np.float32))], LossSpec())
    await session.optim_step(AdamParams(learning_rate=0.1))


def measuring(losses):
    """A workflow that measures `losses`, one a step, and trains in between."""
    measure = make_stage(
        "Measure", lambda ctx: ctx.telemetry.metrics(ctx.step, {"test/nll": losses[ctx.step]})
    )
    measured = (stage(measure), stage(TrackBest()))
    return workflow(
        stage(make_stage("InitSession", init_session, writes={"session": Keeping.REBUILT})),
        stage(putting("batches", list(range(STEPS)))),
        stage(BeginBest()),
        stream(
            "steps",
            stage(make_stage("Train", train, reads=("session",))),
            over="batches",
            item="batch",
            between=(
                when(every("save_every"), stage(Checkpoint())),
                when(every("eval_every", at_start=True), *measured),
            ),
            until=waited_long("early_stopping_patience"),
            counts_steps=True,
        ),
        when(not_measured("eval_every"), *measured),
        when(is_set("keep_best"), stage(RestoreBest())),
        stage(SaveFinal()),
        when(is_set("keep_best"), stage(DropBest())),
    )


def configured(**settings):
    return SupervisedConfig(eval_every=1, save_every=0, **settings)


async def run(store, tmp_path, losses, config, writer=None, checkpoint=None):
    writer = writer or start(store)
    ctx = context(writer, tmp_path, config)
    await Runner(measuring(losses), ctx).run(checkpoint)
    return writer.run_id, ctx


def trained_table(store, run_id):
    return load_file(store.get_artifact(run_id, "final").path / "model.safetensors")["table"]


def said(store, run_id):
    logged = store.read_events(run_id=run_id, kinds=[EventKind.LOG])
    return [event.metadata["message"] for event in logged]


async def test_a_run_stops_after_its_patience_and_says_so(store, tmp_path):
    losses = [3.0, 2.0, 2.5, 2.4, 1.0, 1.0, 1.0, 1.0, 1.0]
    run_id, ctx = await run(store, tmp_path, losses, configured(early_stopping_patience=2))
    assert (ctx.step, ctx.total_steps) == (3, 3)
    assert ctx.outcome == said(store, run_id)
    assert ctx.outcome == [
        "stopping at step 3 of 8: test/nll was best at step 1 (2), and 2 measurements since were no better"
    ]
    assert [step for step, _ in store.series(run_id)["test/nll"]] == [0, 1, 2, 3]


async def test_a_run_that_gets_better_goes_on_to_its_end(store, tmp_path):
    losses = [float(9 - i) for i in range(9)]
    run_id, ctx = await run(store, tmp_path, losses, configured(early_stopping_patience=1))
    assert ctx.step == STEPS
    assert [step for step, _ in store.series(run_id)["test/nll"]] == list(range(9))


async def test_the_final_model_is_the_best_one_where_that_is_asked_for(store, tmp_path):
    losses = [3.0, 2.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    kept, _ = await run(store, tmp_path, losses, configured(keep_best=True))
    assert store.get_artifact(kept, "final").step == 2
    all_steps, _ = await run(store, tmp_path, losses, configured())
    assert said(store, kept) == [
        "the final model is the one of step 2: test/nll was best at step 2 (1)"
    ]
    # Two steps at the same rate lead to what was kept; eight lead further.
    stopping = configured(early_stopping_patience=1)
    stopped, ctx = await run(store, tmp_path, [1.0, 0.5, 0.6, *losses], stopping)
    assert ctx.step == 2
    np.testing.assert_array_equal(trained_table(store, kept), trained_table(store, stopped))
    assert not np.array_equal(trained_table(store, kept), trained_table(store, all_steps))


async def test_a_paused_run_goes_on_counting_where_it_was(store, tmp_path):
    losses = [3.0, 2.0, 2.5, 2.4, 2.3, 1.0, 1.0, 1.0, 1.0]
    config = configured(early_stopping_patience=3, keep_best=True)
    undisturbed, _ = await run(store, tmp_path, losses, config)
    writer = start(store)
    ctx = context(writer, tmp_path, config)
    ctx.stop_asked = lambda: ctx.step == 3
    with pytest.raises(Interrupted):
        await Runner(measuring(losses), ctx).run()
    checkpoint = store.get_artifact(writer.run_id, "checkpoints/000003").path
    again = RunWriter(store, writer.run_id, next_attempt(store, writer.run_id))
    run_id, resumed = await run(store, tmp_path, losses, config, again, checkpoint)
    assert resumed.step == 4
    assert [sentence.split(":")[0] for sentence in resumed.outcome] == [
        "stopping at step 4 of 8",
        "the final model is the one of step 1",
    ]
    assert (
        store.get_artifact(run_id, "final").sha256
        == store.get_artifact(undisturbed, "final").sha256
    )


async def test_a_metric_that_nothing_measures_is_refused_with_those_that_are(store, tmp_path):
    config = configured(best_metric="test/nnl", keep_best=True)
    expected = r"given 'test/nnl'.*; did you mean 'test/nll'\? \(there are test/nll\)"
    with pytest.raises(StageFailed, match=expected):
        await run(store, tmp_path, [1.0] * 9, config)


async def test_what_was_kept_on_the_way_is_gone_in_the_end(store, tmp_path):
    run_id, _ = await run(store, tmp_path, [3.0, 2.0, 1.0, *[2.0] * 6], configured(keep_best=True))
    assert [stored.name for stored in store.list_artifacts(run_id)] == ["final"]


async def test_a_checkpoint_s_best_is_kept_though_a_better_one_has_come(store, tmp_path):
    config = configured(keep_best=True).model_copy(update={"save_every": 3, "keep_checkpoints": 1})
    losses = [9.0, 8.0, 9.0, 9.0, 7.0, 6.0, 9.0, 9.0, 9.0]
    writer = start(store)
    ctx = context(writer, tmp_path, config)
    ctx.stop_asked = lambda: ctx.step == 6
    writer.intent = lambda: Intent.CANCEL  # leave as a killed worker does, without saving
    with pytest.raises(Interrupted):
        await Runner(measuring(losses), ctx).run()
    kept = [each.name for each in store.list_artifacts(writer.run_id)]
    assert kept == ["best/000001", "checkpoints/000003", "best/000005"]


async def test_without_settings_that_go_by_it_nothing_need_be_measured(store, tmp_path):
    losses = dict.fromkeys(range(9), 1.0)
    config = configured(best_metric="test/other")
    _, ctx = await run(store, tmp_path, losses, config)
    assert ctx.step == STEPS


@pytest.mark.parametrize("setting", ["keep_best", "early_stopping_patience"])
def test_going_by_measurements_without_measuring_is_refused(setting):
    with pytest.raises(ConfigError) as refused:
        with_overrides(SupervisedConfig(), {"eval_every": "0", setting: "1"})
    value = "True" if setting == "keep_best" else "1"
    assert str(refused.value) == (
        f"{setting}={value} goes by test/nll, but eval_every=0 measures nothing; set eval_every"
    )


def test_going_by_answers_without_asking_any_is_refused():
    settings = {"keep_best": "1", "best_metric": "test/exact_match", "eval_samples": "0"}
    with pytest.raises(ConfigError, match="eval_samples=0 asks nothing; set eval_samples"):
        with_overrides(SupervisedConfig(), settings)


def test_data_to_measure_on_without_measuring_is_refused():
    with pytest.raises(ConfigError, match="test_dataset=builtin:chat is there to measure on"):
        with_overrides(SupervisedConfig(), {"test_dataset": "builtin:chat", "eval_every": "0"})
