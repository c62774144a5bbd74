"""What evaluations measured, in a line and in a word."""

import io

import pytest
from rich.console import Console

from kitchen_core.telemetry.schema import EventKind, RunStatus
from kitchen_daemon.models import StreamItem
from kitchen_tui.cli.measures import measure_of, own_measure
from kitchen_tui.cli.run_view import RunView
from kitchen_tui.cli.views.runs import latest
from kitchen_tui.cli.views.watching import evaluation_words, watch_page
from tests.kitchen_tui.logged import answer
from tests.kitchen_tui.support import event, event_item, metrics_item, run_info

EVALUATIONS = {
    "supervised": (
        {
            "test/nll": 2.5,
            "test/exact_match": 0.25,
            "test/exact_match_stderr": 0.125,
            "test/greedy_exact_match": 0.5,
        },
        "right 25.0 ± 12.5 %  greedy 50.0 %  nll 2.5",
    ),
    "preference": (
        {"test/exact_match": 0.25, "test/accuracy": 0.875, "test/margin": 0.25, "test/nll": 1.0},
        "pairs 87.5 %  margin +0.25  right 25.0 %  nll 1",
    ),
    "reinforcement": (
        {
            "test/env/all/turns_per_episode": 1.0,
            "test/env/all/reward/total": 0.5,
            "test/env/all/correct": 0.75,
            "test/env/all/correct_stderr": 0.125,
            "test/greedy/env/all/correct": 1.0,
        },
        "right 75.0 ± 12.5 %  greedy 100.0 %  reward 0.5",
    ),
    "a recipe's own": ({"test/taste": 3.0}, "test/taste 3"),
}


@pytest.mark.parametrize("workflow", EVALUATIONS)
def test_an_evaluation_says_first_what_the_workflow_is_about(workflow):
    measured, words = EVALUATIONS[workflow]
    told = event(1, EventKind.EVAL_COMPLETED, step=7, measurements=measured)
    assert evaluation_words(told) == f"step 7  {words}"


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        (
            {"train_mean_nll": 0.25, "test/exact_match": 0.5, "test/nll": 1.0},
            "nll 0.25, right 50.0 %",
        ),
        ({"train_mean_nll": 0.25, "test/nll": 1.0}, "nll 0.25"),
        (
            {"dpo_loss": 0.5, "test/accuracy": 0.9, "test/exact_match": 0.1},
            "dpo_loss 0.5, pairs 90.0 %",
        ),
        ({"env/all/reward/total": 0.5, "test/env/all/correct": 0.75}, "reward 0.5, right 75.0 %"),
        ({"teacher_kl": 0.125, "test/exact_match": 0.75}, "kl 0.125, right 75.0 %"),
        ({"test/exact_match": None}, "right –"),
    ],
)
def test_the_latest_of_a_run_is_its_training_and_what_it_has_learned(metrics, words):
    assert latest(metrics).plain == words


def test_a_measure_that_nobody_knows_goes_by_its_name():
    assert measure_of("test/taste").told(0.5, 0.25) == "0.50 ± 0.25"
    assert own_measure({"test/taste": 0.5}) is None


@pytest.mark.parametrize("width", [60, 80, 160])
@pytest.mark.parametrize("workflow", ["supervised", "preference", "reinforcement"])
def test_the_page_that_one_watches_fits_a_terminal_of_24_lines(workflow, width):
    measured, _ = EVALUATIONS[workflow]
    view = RunView(run_info(status=RunStatus.RUNNING, reason="resumed at step 1"))
    for step in range(30):
        view.take(metrics_item(step, train_mean_nll=1.0 / (step + 1)))
    view.take(event_item(1, EventKind.EVAL_COMPLETED, step=0, measurements=measured))
    for index in range(6):
        view.take(StreamItem(cursor="1.0", event=answer(2, 0, "2", index=index)))
    console = Console(width=width, file=io.StringIO())
    console.print(watch_page(view, width, 24))
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= width
