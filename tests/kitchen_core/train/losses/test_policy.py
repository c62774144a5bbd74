"""The policy losses by hand.

Three tokens: lp -1, -2, -3, ratios 3/2, 1/2 and 1, advantages 2, -1 and 3, weights 1, 1/2 and 0.
"""

from __future__ import annotations

import math

import pytest
import torch

from kitchen_core.train.losses import policy

LOGPROBS = [-1.0, -2.0, -3.0]
SAMPLED = torch.tensor([-1 - math.log(1.5), -2 - math.log(0.5), -3.0])
ADVANTAGES = torch.tensor([2.0, -1.0, 3.0])
WEIGHTS = torch.tensor([1.0, 0.5, 0.0])
CLIPS = {"clip_low": 0.8, "clip_high": 1.2}


def value_and_gradient(loss, *inputs, **options) -> tuple[float, list[float]]:
    logprobs = torch.tensor(LOGPROBS, requires_grad=True)
    value = loss(logprobs, WEIGHTS, *inputs, **options)
    value.backward()
    return value.item(), logprobs.grad.tolist()


def test_importance_sampling():
    value, gradient = value_and_gradient(policy.importance_sampling, SAMPLED, ADVANTAGES)
    assert value == pytest.approx(-(1 * 1.5 * 2 + 0.5 * 0.5 * -1))
    assert gradient == pytest.approx([-3.0, 0.25, 0.0])


def test_ppo_stops_where_the_ratio_has_gone_far_enough():
    value, gradient = value_and_gradient(policy.ppo, SAMPLED, ADVANTAGES, **CLIPS)
    assert value == pytest.approx(-(1 * 1.2 * 2 + 0.5 * 0.8 * -1))
    assert gradient == [0.0, 0.0, 0.0]


def test_ppo_goes_on_where_the_ratio_has_gone_the_wrong_way():
    value, gradient = value_and_gradient(policy.ppo, SAMPLED, -ADVANTAGES, **CLIPS)
    assert value == pytest.approx(-(1 * 1.5 * -2 + 0.5 * 0.5 * 1))
    assert gradient == pytest.approx([3.0, -0.25, 0.0])


def test_cispo_weighs_every_token_by_its_clipped_ratio():
    value, gradient = value_and_gradient(policy.cispo, SAMPLED, ADVANTAGES, **CLIPS)
    assert value == pytest.approx(-(1 * 1.2 * 2 * -1 + 0.5 * 0.8 * -1 * -2))
    assert gradient == pytest.approx([-2.4, 0.4, 0.0])


def test_reinforce():
    value, gradient = value_and_gradient(policy.reinforce, ADVANTAGES)
    assert value == pytest.approx(-(1 * 2 * -1 + 0.5 * -1 * -2))
    assert gradient == pytest.approx([-2.0, 0.5, 0.0])


def test_gspo_has_one_ratio_a_sequence_and_its_gradient_is_shared():
    """Two tokens of ratios 3/2 and 2/3 * 1.21: s is the root of their product, 1.1. A third alone."""
    sampled = torch.tensor([-1 - math.log(1.5), -2 - math.log(1.21 / 1.5), -3 - math.log(2.0)])
    logprobs = torch.tensor(LOGPROBS, requires_grad=True)
    sequences = torch.tensor([0, 0, 2])
    advantages = torch.tensor([2.0, 2.0, -1.0])
    weights = torch.tensor([1.0, 0.5, 4.0])
    value = policy.gspo(logprobs, weights, sampled, advantages, sequences, **CLIPS)
    value.backward()
    assert value.item() == pytest.approx(-(1.5 * 1.1 * 2 + 4 * 2 * -1), rel=1e-6)
    # d(s)/d(lp) is s over the sequence's length
    assert logprobs.grad.tolist() == pytest.approx([-1.5 * 2 * 1.1 / 2] * 2 + [8.0], rel=1e-6)


def test_gspo_stops_with_a_whole_sequence():
    sampled = torch.tensor([-1 - math.log(1.5), -2 - math.log(1.5), -3.0])
    logprobs = torch.tensor(LOGPROBS, requires_grad=True)
    sequences = torch.tensor([0, 0, 1])
    advantages = torch.tensor([1.0, 1.0, 1.0])
    value = policy.gspo(logprobs, torch.ones(3), sampled, advantages, sequences, **CLIPS)
    value.backward()
    assert value.item() == pytest.approx(-(1.2 + 1.2 + 1.0), rel=1e-6)
    assert logprobs.grad.tolist() == pytest.approx([0.0, 0.0, -1.0], rel=1e-6)


@pytest.mark.parametrize("advantage", [1.0, -1.0])
def test_a_ratio_beyond_all_numbers_leaves_no_nan(advantage):
    logprobs = torch.tensor([-1.0], requires_grad=True)
    inputs = (torch.ones(1), torch.tensor([-500.0]), torch.tensor([advantage]))
    for loss, options in [
        (policy.importance_sampling, {}),
        (policy.ppo, CLIPS),
        (policy.cispo, CLIPS),
    ]:
        logprobs.grad = None
        loss(logprobs, *inputs, **options).backward()
        assert logprobs.grad.isfinite().all()
