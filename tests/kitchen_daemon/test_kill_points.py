"""A run that is killed anywhere, and resumed, ends with the bytes of a run that was left alone.

Five points, one in each part of a run, belong to every test run. All fifty, with what they hit:

    pytest -m slow -s tests/kitchen_daemon/test_kill_points.py
"""

from collections import Counter
from typing import get_args

import pytest

from kitchen_core.store import Store
from tests.kitchen_daemon.killing import (
    POINTS,
    RECIPES,
    killed_and_resumed,
    kills_of,
    recipe_of,
    undisturbed_run,
)
from tests.kitchen_daemon.spans import Part

FIFTY = len(RECIPES) * sum(POINTS.values())
FIVE: dict[int, Part] = {2: "start", 11: "steps", 32: "checkpoint", 37: "evaluation", 44: "export"}
"""Seeds, and where each kills first; 32 kills once more, two checkpoints later."""


@pytest.fixture(scope="module")
def store(daemon):
    with Store.open(daemon.home.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def alone(daemon, store):
    """Each recipe's run left alone, made when it is first asked for."""
    made = {}

    def of(recipe):
        if recipe not in made:
            made[recipe] = undisturbed_run(daemon, store, recipe)
        return made[recipe]

    return of


@pytest.fixture(scope="module")
def survivals():
    """What the points of this module have hit."""
    return []


def check(daemon, store, alone, seed):
    undisturbed = alone(recipe_of(seed))
    survival = killed_and_resumed(daemon, store, undisturbed.spans, seed)
    made = [artifact.sha256 for artifact in survival.run.artifacts if artifact.name == "final"]
    assert (survival.run.status, made) == ("completed", [undisturbed.sha256]), survival
    left = [*(daemon.home.root / "artifacts" / "tmp").iterdir(), *daemon.home.scratch.iterdir()]
    assert left == [], "half written files stay behind"
    return survival


@pytest.mark.parametrize(("seed", "part"), FIVE.items())
def test_a_run_killed_at_a_random_point_ends_with_the_same_bytes(daemon, store, alone, seed, part):
    survival = check(daemon, store, alone, seed)
    assert (survival.places[0], len(survival.places)) == (part, kills_of(seed))


def test_the_five_fall_into_every_part_and_one_run_is_killed_twice():
    assert set(FIVE.values()) == set(get_args(Part))
    assert sorted(map(kills_of, FIVE)) == [1, 1, 1, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIFTY))
def test_fifty_points(daemon, store, alone, survivals, seed):
    survivals.append(check(daemon, store, alone, seed))
    print(f" {seed}: killed in {' and '.join(survivals[-1].places)} ", end="")


@pytest.mark.slow
def test_the_fifty_points_were_spread_over_the_whole_run(survivals):
    if len(survivals) < FIFTY:
        pytest.skip("not all points were tried, or not all survived")
    after = sum(survival.after_first_checkpoint for survival in survivals)
    twice = sum(len(survival.places) > 1 for survival in survivals)
    places = Counter(place for survival in survivals for place in survival.places)
    print(f"{after} of {FIFTY} after the first checkpoint, {twice} killed twice; {dict(places)}")
    assert (FIFTY, after >= 40) == (50, True)
    assert twice >= 10
    assert min(places[part] for part in get_args(Part)) >= 3
