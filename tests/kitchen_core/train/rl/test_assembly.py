"""Episodes as sequences; tinker-cookbook's own are in the parity tests."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.rl.assembly import Origin, assemble, datums_of
from kitchen_core.train.rl.penalty import kl_penalty, whole_sequence
from kitchen_core.train.trajectories import Trajectory
from tests.kitchen_core.train.rl.support import BROKEN, episode, group, turn


def test_a_turn_that_goes_on_is_one_sequence_with_the_turn_before():
    turns = (turn(prompt=[1, 2], answer=[5]), turn(prompt=[1, 2, 5, 6], answer=[9, 9]))
    (datum,) = datums_of(Trajectory(turns, 0), np.array([0.25, -1.0]))
    assert whole_sequence(datum).tolist() == [1, 2, 5, 6, 9, 9]
    assert datum.weights.tolist() == [0, 1, 0, 1, 1]
    assert datum.extra["advantages"].tolist() == [0, 0.25, 0, -1, -1]
    assert datum.extra["logprobs"].tolist() == [0, -0.5, 0, -0.5, -0.5]


def test_a_turn_that_does_not_begins_a_new_one():
    turns = (turn(prompt=[1, 2], answer=[5]), turn(prompt=[1, 3, 5], answer=[9]))
    first, second = datums_of(Trajectory(turns, 0), np.array([1.0, 1.0]))
    assert whole_sequence(first).tolist() == [1, 2, 5]
    assert whole_sequence(second).tolist() == [1, 3, 5, 9]


def test_a_shorter_prompt_goes_on_from_nothing():
    turns = (turn(prompt=[1, 2], answer=[5]), turn(prompt=[1, 2], answer=[6]))
    assert len(datums_of(Trajectory(turns, 0), np.ones(2))) == 2


def test_an_answer_of_no_tokens_makes_no_sequence():
    """It would count as an episode to take a mean over, and have nothing to train."""
    turns = (turn(prompt=[1, 2], answer=[]),)
    assert datums_of(Trajectory(turns, 0), np.array([1.0])) == []
    and_then = (*turns, turn(prompt=[1, 2, 3], answer=[9]))
    (datum,) = datums_of(Trajectory(and_then, 0), np.array([1.0, 1.0]))
    assert whole_sequence(datum).tolist() == [1, 2, 3, 9]


def test_broken_episodes_are_no_sequences():
    made = assemble(
        [group(episode(1.0), BROKEN, episode(0.0))], [[np.array([0.5]), np.array([-0.5])]]
    )
    assert made.origins == [Origin(0, 0), Origin(0, 1)]
    assert [float(datum.extra["advantages"][-1]) for datum in made.datums] == [0.5, -0.5]


tokens = st.lists(st.integers(0, 3), min_size=1, max_size=4)


@given(st.lists(st.tuples(tokens, tokens), min_size=1, max_size=4))
def test_every_token_that_was_said_is_trained_once(pairs):
    turns = tuple(turn(prompt=prompt, answer=answer) for prompt, answer in pairs)
    datums = datums_of(Trajectory(turns, 0), np.ones(len(turns)))
    assert sum(datum.num_loss_tokens for datum in datums) == sum(len(a) for _, a in pairs)
    said = [int(t) for d in datums for t, w in zip(d.targets, d.weights, strict=True) if w]
    assert said == [token for _, answer in pairs for token in answer]


def test_straying_further_than_the_mean_costs_advantage():
    (datum,) = datums_of(Trajectory((turn(prompt=[1], answer=[5, 6]),), 0), np.array([0.0]))
    # the sampler says -.5 twice, the reference -1 and -.7: d = .5 and .2, mean .35
    reference = [np.array([-1.0, -0.7], np.float32)]
    (penalized,), strayed = kl_penalty([datum], reference, coef=2.0, discount=0.0)
    np.testing.assert_allclose(strayed, 0.35, atol=1e-6)
    np.testing.assert_allclose(penalized.extra["advantages"], [-0.3, 0.3], atol=1e-6)
    (later,), _ = kl_penalty([datum], reference, coef=2.0, discount=0.5)
    np.testing.assert_allclose(later.extra["advantages"], [-0.15, 0.3], atol=1e-6)
