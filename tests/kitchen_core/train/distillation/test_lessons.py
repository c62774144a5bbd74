import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.train.datums import datum_of_completion
from kitchen_core.train.distillation import advantages_from_teacher, soft_targets, token_mean
from kitchen_core.train.distillation.lesson import why_left_out
from kitchen_core.train.types import Message, ToolCall, TopLogprobs

DATUM = datum_of_completion([1, 2, 3], [7, 8])  # reads 1 2 3 7, predicts 2 3 7 8


def f32(*values):
    return np.array(values, np.float32)


def test_the_advantage_of_a_token_is_what_the_teacher_finds_it_likelier():
    # q = -0.5, lp = -1: tinker-cookbook's `incorporate_kl_penalty` gives [0, 0, -0.5, -0.5]
    told = advantages_from_teacher(DATUM, f32(-0.5, -0.5), f32(-1, -1), coef=1.0, discount=0.0)
    assert told.extra["advantages"].tolist() == [0, 0, -0.5, -0.5]
    assert told.extra["logprobs"].tolist() == [0, 0, -0.5, -0.5]


def test_a_discount_lets_a_token_answer_for_what_follows():
    told = advantages_from_teacher(DATUM, f32(-1, -1), f32(-2, -3), coef=2.0, discount=0.5)
    # A = -2 * (1, 2); the first one gets half of the second's
    assert told.extra["advantages"].tolist() == [0, 0, -2 - 0.5 * 4, -4]


def test_every_answered_token_of_a_batch_weighs_the_same():
    longer = datum_of_completion([1], [5, 6, 7])
    weighed = token_mean([DATUM, longer], coef=10.0)
    assert [datum.weights.tolist() for datum in weighed] == [[0, 0, 2, 2], [2, 2, 2]]


def test_soft_targets_are_the_teachers_probabilities_among_the_likeliest():
    # probabilities .6 and .2 are three quarters and one quarter of what is left
    top = TopLogprobs(
        np.array([[7, 9], [8, 4]]), np.log(f32(0.6, 0.2)) + np.zeros((2, 1), np.float32)
    )
    (weighed,) = token_mean([DATUM])
    soft = soft_targets(weighed, top)
    assert soft.targets.tolist() == [[0, 0], [0, 0], [7, 9], [8, 4]]
    assert soft.weights == pytest.approx(np.array([[0, 0], [0, 0], [0.375, 0.125], [0.375, 0.125]]))
    assert soft.num_loss_tokens == 2


@given(st.lists(st.floats(-80, 0), min_size=1, max_size=9), st.floats(0.01, 10))
def test_the_weights_of_a_place_sum_to_its_own(logprobs, weight):
    datum = datum_of_completion([1], [2])
    datum = token_mean([datum], weight)[0]
    top = TopLogprobs(np.arange(len(logprobs))[None], f32(*logprobs)[None])
    assert math.isclose(soft_targets(datum, top).weights.sum(), weight, rel_tol=1e-5)


@pytest.mark.parametrize(
    ("said", "stop_reason", "tokens", "reason"),
    [
        (Message("assistant", "4"), "stop", 9, None),
        (Message("assistant", " \n"), "stop", 9, "empty"),
        (Message("assistant", ""), "length", 9, "empty"),
        (Message("assistant", "4"), "length", 9, "cut_off"),
        (Message("assistant", "4"), "stop", 11, "too_long"),
        (Message("assistant", "", tool_calls=(ToolCall("f", "{}"),)), "stop", 10, None),
    ],
)
def test_a_teachers_answer_is_learnt_from_only_where_it_is_whole(said, stop_reason, tokens, reason):
    assert why_left_out(said, stop_reason, tokens, limit=10) == reason
