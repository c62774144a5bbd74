import math

import pytest
import torch
from torch.nn import functional

from kitchen_core.train.losses import cross_entropy, target_logprobs


def test_a_target_logprob_by_hand():
    # Two tokens with logits ln 3 and 0: probabilities 3/4 and 1/4.
    logits = torch.tensor([[[math.log(3), 0.0], [math.log(3), 0.0]]])
    logprobs = target_logprobs(logits, torch.tensor([[0, 1]]))
    assert logprobs.tolist()[0] == pytest.approx([math.log(3 / 4), math.log(1 / 4)])


def test_cross_entropy_is_torchs_own_where_every_token_weighs_one():
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(15).reshape(3, 5) % 7
    ours = cross_entropy(target_logprobs(logits, targets), torch.ones(3, 5))
    theirs = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_a_token_without_weight_adds_nothing_and_gets_no_gradient():
    logits = torch.zeros(1, 2, 4, requires_grad=True)
    weights = torch.tensor([[2.0, 0.0]])
    loss = cross_entropy(target_logprobs(logits, torch.zeros(1, 2, dtype=torch.int64)), weights)
    loss.backward()
    assert loss.item() == pytest.approx(2 * math.log(4))
    # softmax - one_hot, twice: (1/4 - 1) * 2 and 1/4 * 2
    assert logits.grad.tolist() == [[[-1.5, 0.5, 0.5, 0.5], [0.0] * 4]]
