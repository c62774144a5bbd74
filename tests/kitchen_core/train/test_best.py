import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.best import Best, direction_of, steps_to_keep

VALUES = st.lists(st.none() | st.floats(-10, 10).map(lambda x: round(x, 1)), max_size=12)


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("test/nll", "lowest"),
        ("train_mean_nll", "lowest"),
        ("dpo_loss", "lowest"),
        ("test/exact_match", "highest"),
        ("env/all/reward/total", "highest"),
        ("accuracy", "highest"),
        ("test/env/all/unparseable", "lowest"),
        ("test/env/all/failed", "lowest"),
        ("test/env/all/tool_errors", "lowest"),
    ],
)
def test_a_metrics_good_end_is_told_by_its_name(metric, direction):
    assert direction_of(metric) == direction


def test_a_direction_that_was_chosen_is_taken():
    assert direction_of("test/nll", "highest") == "highest"


def test_the_best_is_the_first_of_the_lowest_and_waiting_counts_from_it():
    best = Best()
    for step, value in enumerate([3.0, 2.0, 2.0, 2.5]):
        best = best.after(value, step, "lowest")
    assert best == Best(value=2.0, step=1, measured_at=3, waited=2)


def test_a_value_that_is_not_finite_is_never_the_best():
    assert Best().after(None, 0, "highest") == Best(measured_at=0, waited=1)


@given(VALUES)
def test_the_best_is_what_a_plain_search_finds(values):
    best = Best()
    for step, value in enumerate(values):
        best = best.after(value, step, "highest")
    finite = [(value, -step) for step, value in enumerate(values) if value is not None]
    expected = max(finite) if finite else None
    assert (best.value, best.step) == ((expected[0], -expected[1]) if expected else (None, None))


def test_what_a_checkpoint_knows_as_the_best_is_kept():
    # Checkpoints at 100 and 150 know 90 and 110 as the best.
    assert steps_to_keep([40, 90, 110, 160, 180], 180, [100, 150]) == {90, 110, 180}


def test_what_is_measured_at_a_checkpoint_s_own_step_came_after_it():
    assert steps_to_keep([40, 50], 50, [50]) == {40, 50}


def test_what_lies_beyond_a_rewind_is_not_kept():
    assert steps_to_keep([40, 60, 80], 60, [50]) == {40, 60}
