"""The policy losses against those of a Tinker server, token by token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kitchen_core.train.losses import find_loss
from kitchen_core.train.types import LossSpec

RECORDED = json.loads(
    (Path(__file__).parents[2] / "fixtures/parity/policy_losses/recorded.json").read_text()
)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: case["loss"])
def test_value_and_gradient_are_the_servers(case):
    logprobs, weights, *inputs = (
        torch.tensor(RECORDED[name]) for name in ("logprobs", "weights", "sampled", "advantages")
    )
    logprobs.requires_grad_()
    loss = find_loss(LossSpec(case["loss"], case["options"]))
    value = loss.of_tokens(logprobs, weights, *inputs)
    [gradient] = torch.autograd.grad(value, [logprobs])
    assert value.item() == pytest.approx(case["value"], rel=1e-5)
    assert gradient.tolist() == pytest.approx(case["gradient"], rel=1e-5, abs=1e-6)
