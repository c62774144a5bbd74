import pytest

from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.models import StreamItem
from kitchen_tui.cli.run_view import RunView, headline
from kitchen_tui.cli.views.samples.lines import sample_line
from tests.kitchen_tui.logged import answer, distilled, pair, rollout
from tests.kitchen_tui.support import event_item, metrics_item, run_info


def test_a_resume_takes_back_what_lies_beyond_its_checkpoint():
    view = RunView(run_info())
    for step in range(4):
        view.take(metrics_item(step, train_mean_nll=float(step)))
    view.take(event_item(9, EventKind.RUN_RESUMED, step=1))
    view.take(metrics_item(1, train_mean_nll=10.0))
    assert view.points("train_mean_nll") == [(0, 0.0), (1, 10.0)]


def test_only_the_answers_of_the_last_evaluation_are_kept():
    view = RunView(run_info())
    for seq, (step, index) in enumerate([(0, 0), (0, 1), (50, 0)]):
        view.take(event_item(seq, EventKind.SAMPLE_LOGGED, step=step, metadata={"index": index}))
    assert [(answer.step, answer.metadata["index"]) for answer in view.said] == [(50, 0)]


def test_a_row_that_is_trained_on_is_no_answer():
    view = RunView(run_info())
    told = {"kind": "train", "index": 0}
    view.take(event_item(1, EventKind.SAMPLE_LOGGED, step=0, metadata=told))
    assert view.said == []


def test_answers_show_what_a_model_does_and_where_there_are_none_its_episodes():
    view = RunView(run_info())
    view.take(StreamItem(cursor="1.0", event=rollout(1, 0)))
    assert [sample.metadata["kind"] for sample in view.said] == ["rollout"]
    view.take(StreamItem(cursor="2.0", event=answer(2, 0, "2")))
    view.take(StreamItem(cursor="3.0", event=rollout(3, 1)))
    assert [sample.metadata["kind"] for sample in view.said] == ["answer"]


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        (answer(1, 0, "2"), "✓ 1+1? → 2"),
        (answer(1, 0, "3"), "✗ 1+1? → 3"),
        (rollout(1, 0), "reward 1  What is 12 + 7? → \\boxed{19}<|end|>"),
        (rollout(1, 0, error="Timeout", turns=[]), "left out  What is 12 + 7? → "),
        (pair(1, 0), "margin +0.75  What is 12 + 7? → \\boxed{19}"),
        (distilled(1, 0), "kl 0.75  What is 12 + 7? → \\boxed{29}<|end|>"),
    ],
)
def test_a_sample_of_every_kind_fits_in_a_line(sample, line):
    assert sample_line(sample, 60).plain == line
    assert sample_line(sample, 30).cell_len <= 30


def test_the_headline_is_a_known_series_else_the_first_that_is_no_side_show():
    assert headline(["loss", "time/step_s", "train_mean_nll"]) == "train_mean_nll"
    assert headline(["env/all/total_turns", "env/all/reward/total"]) == "env/all/reward/total"
    assert headline(["env/all/ac_tokens_per_turn", "teacher_kl"]) == "teacher_kl"
    assert headline(["accuracy", "dpo_loss"]) == "dpo_loss"
    assert headline(["learning_rate", "optim/grad_norm", "num_pairs", "margin"]) == "margin"
    assert headline(["time/step_s"]) is None
