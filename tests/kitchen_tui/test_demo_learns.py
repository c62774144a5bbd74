"""Every recipe of the demo improves its own measure on held-out problems, whatever the seed.

Prints the figures: `pytest -m slow -s tests/kitchen_tui/test_demo_learns.py`.
"""

import pytest

from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import Launch
from kitchen_tui.cli.courses import COURSES
from tests.kitchen_daemon.support import running_daemon

pytestmark = pytest.mark.slow

SEEDS = range(5)
STUDENT_BEHIND_TEACHER = 0.03
RL_GAIN = 0.20


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """For each seed each recipe's measures: `{seed: {recipe: {metric: (first, last)}}}`."""
    with running_daemon(tmp_path_factory.mktemp("demo")) as daemon:
        return {seed: demo_of(daemon, seed) for seed in SEEDS}


def demo_of(daemon, seed):
    """The demo's runs with another seed, to their end."""
    runs = {}
    for course in COURSES:
        taken = {key: f"run:{runs[of]}" for key, of in course.takes.items()}
        launch = Launch(recipe=course.recipe, overrides={**taken, "seed": seed})
        runs[course.recipe] = daemon.client.launch(launch).id
    measured = {}
    for course in COURSES:
        run = daemon.settled(runs[course.recipe])
        assert run.status is RunStatus.COMPLETED, (course.recipe, run.error)
        series = daemon.client.metrics(run.id, list(course.measures))
        ends = {name: (series[name][0][1], series[name][-1][1]) for name in course.measures}
        seconds = run.finished_at - run.started_at
        print(f"\nseed {seed}  {course.recipe:<13}{seconds:5.1f} s", end="")
        for name, (first, last) in ends.items():
            print(f"  {name.removeprefix('test/')} {first:.3f} → {last:.3f}", end="")
        measured[course.recipe] = ends
    return measured


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("recipe", ["sl_basic", "chat_sl"])
def test_demonstrations_are_learned(learned, recipe, seed):
    measures = learned[seed][recipe]
    first, last = measures["test/exact_match"]
    assert last - first > 0.5
    assert measures["test/nll"][1] < measures["test/nll"][0] / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_preferences_raise_accuracy_margin_and_sampled_answers(learned, seed):
    measures = learned[seed]["dpo"]
    for name in ("test/accuracy", "test/margin", "test/exact_match"):
        first, last = measures[name]
        assert last > first, name
    assert measures["test/accuracy"][1] > 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_rewards_lift_sampled_answers_by_twenty_points(learned, seed):
    first, last = learned[seed]["math_rl"]["test/env/all/correct"]
    assert last - first >= RL_GAIN


@pytest.mark.parametrize("seed", SEEDS)
def test_a_student_comes_close_to_its_teacher(learned, seed):
    first, last = learned[seed]["distillation"]["test/exact_match"]
    _, teacher = learned[seed]["math_rl"]["test/env/all/correct"]
    assert last > first
    assert last > teacher - STUDENT_BEHIND_TEACHER
