"""A run that is killed anywhere, and resumed, ends with the bytes of a run that was left alone.

A few points, one in each part of a run and at least one in each recipe, belong to every test run.
All of them, with what they hit:

    pytest -m slow -s tests/kitchen_daemon/running/test_kill_points.py
"""

import os
import signal
from collections import Counter
from typing import get_args

import pytest

from kitchen_core.store import Store
from kitchen_daemon.models import Launch
from tests.kitchen_daemon.killing import (
    RUNS,
    Point,
    aims_of,
    killed_and_resumed,
    undisturbed_run,
)
from tests.kitchen_daemon.spans import Part
from tests.kitchen_daemon.support import final_sha256, is_at_rest, reached_step

ALL = [Point(name, number) for name in RUNS for number in range(len(aims_of(name)))]
RECIPES = {run.recipe for run in RUNS.values()}
FEW: dict[Point, list[Part]] = {
    Point("chat_sl", 16): ["evaluation"],
    Point("chat_sl", 20): ["export"],
    Point("dpo", 12): ["checkpoint", "steps"],
    Point("math_rl off policy", 1): ["start"],
    Point("math_rl off policy", 25): ["steps", "steps"],
    Point("distillation", 25): ["steps", "steps"],
}
"""Points, and where the run stands each time that it is killed. sl_basic is killed in test_survival."""


@pytest.fixture(scope="module")
def store(daemon):
    with Store.open(daemon.home.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def alone(daemon, store):
    """Each run left alone, made when it is first asked for."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = undisturbed_run(daemon, store, name)
        return made[name]

    return of


@pytest.fixture(scope="module")
def survivals():
    """What the points of this module have hit."""
    return {}


def check(daemon, store, alone, point):
    undisturbed = alone(point.name)
    survival = killed_and_resumed(daemon, store, undisturbed, point)
    made = [artifact.sha256 for artifact in survival.run.artifacts if artifact.name == "final"]
    assert (survival.run.status, made) == ("completed", [undisturbed.sha256]), survival
    left = [*(daemon.home.root / "artifacts" / "tmp").iterdir(), *daemon.home.scratch.iterdir()]
    assert left == [], "half written files stay behind"
    return survival


@pytest.mark.parametrize(("point", "places"), FEW.items(), ids=map(str, FEW))
def test_a_run_killed_at_a_random_point_ends_with_the_same_bytes(
    daemon, store, alone, point, places
):
    survival = check(daemon, store, alone, point)
    assert survival.places == places
    assert survival.sampling or point.aim != "sampling"


def test_the_few_fall_into_every_part_of_a_run_and_into_every_recipe():
    assert {part for places in FEW.values() for part in places} == set(get_args(Part))
    assert {RUNS[point.name].recipe for point in FEW} | {"sl_basic"} == RECIPES
    sampling = {RUNS[point.name].recipe for point in FEW if point.aim == "sampling"}
    assert sampling == {run.recipe for run in RUNS.values() if run.samples}


def test_a_run_off_policy_that_is_paused_and_then_told_to_end_goes_on_to_the_same_bytes(
    daemon, alone
):
    undisturbed = alone("math_rl off policy")
    short = undisturbed.short
    run = daemon.client.launch(Launch(recipe=short.recipe, overrides=short.overrides))
    daemon.until(run.id, reached_step(3))
    daemon.client.pause(run.id)
    cursor = daemon.until(run.id, is_at_rest)[-1].cursor
    paused = daemon.client.resume(run.id)
    daemon.until(run.id, reached_step(7), cursor=cursor)
    (worker,) = daemon.worker_pids()
    os.kill(worker, signal.SIGTERM)
    cursor = daemon.until(run.id, is_at_rest, cursor=cursor)[-1].cursor
    ended = daemon.client.resume(run.id)
    daemon.until(run.id, is_at_rest, cursor=cursor)
    done = daemon.client.run(run.id)
    assert (done.status, done.attempt, final_sha256(done)) == ("completed", 3, undisturbed.sha256)
    events = daemon.client.events(run.id)
    assert [event.kind for event in events if event.kind in ("run.paused", "run.interrupted")] == [
        "run.paused",
        "run.interrupted",
    ]
    resumed = [event.step for event in events if event.kind == "run.resumed"]
    assert resumed == [paused.progress.step, ended.progress.step]


@pytest.mark.slow
@pytest.mark.parametrize("point", ALL, ids=map(str, ALL))
def test_all_points(daemon, store, alone, survivals, point):
    survivals[point] = check(daemon, store, alone, point)
    places = " and ".join(survivals[point].places)
    print(f" {point}, at {point.aim}: killed in {places} ", end="")


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_the_points_of_a_run_were_spread_over_all_of_it(survivals, name):
    mine = [survival for point, survival in survivals.items() if point.name == name]
    after = sum(survival.after_first_checkpoint for survival in mine)
    twice = sum(len(survival.places) > 1 for survival in mine)
    sampling = sum(survival.sampling for survival in mine)
    places = Counter(place for survival in mine for place in survival.places)
    print(
        f"{name}: {after} of {len(mine)} after the first checkpoint, {twice} killed twice, "
        f"{sampling} while sampling; {dict(places)}"
    )
    if len(mine) < len(aims_of(name)):
        pytest.skip("not all points were tried, or not all survived")
    assert after >= 0.8 * len(mine)
    assert twice >= 5
    assert min(places[part] for part in get_args(Part)) >= 1
    assert sampling >= 4 or not RUNS[name].samples
