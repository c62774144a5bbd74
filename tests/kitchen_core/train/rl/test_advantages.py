"""Advantages, worked by hand; tinker-cookbook's are in the parity tests."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.rl.advantages import compute_advantages, gae
from kitchen_core.train.trajectories import Trajectory, TrajectoryGroup
from tests.kitchen_core.train.rl.support import BROKEN, episode, group, of_rewards, turn

rewards = st.lists(st.floats(-10, 10), min_size=1, max_size=8)
METHODS = ("group_mean", "group_std", "leave_one_out", "gae")


def advantages(made, method, **settings):
    return [
        float(each)
        for of_turns in compute_advantages(made, method, **settings)
        for each in of_turns
    ]


def test_an_episode_is_compared_with_the_mean_of_its_group():
    assert advantages(of_rewards(1, 0, 0), "group_mean") == pytest.approx([2 / 3, -1 / 3, -1 / 3])


def test_the_spread_is_the_samples_own():
    # mean 0.5, sample standard deviation sqrt(4 * 0.25 / 3) = 0.57735; TRL adds 1e-4
    expected = 0.5 / (np.sqrt(1 / 3) + 1e-4)
    assert advantages(of_rewards(1, 0, 1, 0), "group_std") == pytest.approx(
        [expected, -expected, expected, -expected]
    )


def test_leaving_one_out_compares_with_the_others():
    # 3 - (1 + 2) / 2, 1 - (3 + 2) / 2, 2 - (3 + 1) / 2
    assert advantages(of_rewards(3, 1, 2), "leave_one_out") == pytest.approx([1.5, -1.5, 0])


@pytest.mark.parametrize("method", METHODS)
def test_one_episode_alone_and_equal_ones_have_none(method):
    assert advantages(of_rewards(0.7), method) == [0.0]
    assert advantages(of_rewards(0.7, 0.7, 0.7), method) == pytest.approx([0.0] * 3, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_an_episode_that_broke_is_not_compared(method):
    whole = of_rewards(1, 0)
    with_broken = group(*whole.trajectories, BROKEN)
    assert advantages(with_broken, method) == advantages(whole, method)


@pytest.mark.parametrize("method", METHODS)
@given(earned=rewards)
def test_advantages_of_single_turns_sum_to_nothing(method, earned):
    assert sum(advantages(of_rewards(*earned), method)) == pytest.approx(0, abs=1e-6)


@given(earned=rewards)
def test_gae_of_single_turns_is_the_group_mean(earned):
    made = of_rewards(*earned)
    assert advantages(made, "gae") == pytest.approx(advantages(made, "group_mean"))


def test_every_turn_of_an_episode_has_its_advantage():
    made = group(episode(0, 1), episode(0, 0))
    assert [each.tolist() for each in compute_advantages(made, "group_mean")] == [
        [0.5, 0.5],
        [-0.5, -0.5],
    ]


def test_gae_tells_the_turns_apart():
    # gamma 0.5, lambda 0.5. returns: [1 + .5 * 1, 1] and [0, 0]; values V_0 = .75, V_1 = .5
    # episode 1: delta_1 = 1 - .5 = .5, delta_0 = 1 + .5 * .5 - .75 = .5; A_0 = .5 + .25 * .5
    # episode 2: delta_1 = 0 - .5, delta_0 = 0 + .5 * .5 - .75 = -.5; A_0 = -.5 + .25 * -.5
    first, second = gae([np.array([1.0, 1.0]), np.array([0.0, 0.0])], 0.5, 0.5)
    assert first.tolist() == [0.625, 0.5]
    assert second.tolist() == [-0.625, -0.5]


def test_with_lambda_1_gae_is_the_return_less_the_groups():
    # returns [3, 2], [1], so V_0 = 2 and V_1 = 2 (only the first came so far)
    long, short = gae([np.array([1.0, 2.0]), np.array([1.0])], 1.0, 1.0)
    assert long.tolist() == [1.0, 0.0]
    assert short.tolist() == [-1.0]


def test_parts_are_weighed_and_the_groups_end_counts_with_the_last_turn():
    won = Trajectory((turn(1), turn(1)), 0, group_rewards={"short": 2.0})
    lost = Trajectory((turn(0), turn(0)), 0)
    made = TrajectoryGroup((won, lost), (), "", "", {"earned": 0.5, "short": 0.25})
    assert advantages(made, "group_mean") == pytest.approx([0.75, 0.75, -0.75, -0.75])
    # the last turn: 0.5 + 0.5 against 0; the first, with lambda 0: 0.5 + V_1 - V_0
    of_turns = compute_advantages(made, "gae", discount=1.0, gae_lambda=0.0)
    assert [each.tolist() for each in of_turns] == [[0.25, 0.5], [-0.25, -0.5]]
