from kitchen_core.telemetry.schema import EventKind
from kitchen_tui.cli.run_view import RunView, headline
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
    assert {index: answer.step for index, answer in view.answers.items()} == {0: 50}


def test_a_row_that_is_trained_on_is_no_answer():
    view = RunView(run_info())
    told = {"kind": "train", "index": 0}
    view.take(event_item(1, EventKind.SAMPLE_LOGGED, step=0, metadata=told))
    assert view.answers == {}


def test_the_headline_is_a_known_series_else_the_first_that_is_no_side_show():
    assert headline(["loss", "time/step_s", "train_mean_nll"]) == "train_mean_nll"
    assert headline(["learning_rate", "optim/grad_norm", "margin"]) == "margin"
    assert headline(["time/step_s"]) is None
