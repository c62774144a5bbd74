"""The optimizer against torch's own AdamW, and against arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from kitchen_core.adapters.torch_local.optimizer import Optimizer
from kitchen_core.train.types import AdamParams


def parameter_with_gradient(*gradient: float) -> dict[str, nn.Parameter]:
    parameter = nn.Parameter(torch.ones(len(gradient)))
    parameter.grad = torch.tensor(gradient)
    return {"w": parameter}


def test_the_first_step_moves_each_weight_by_the_learning_rate():
    trained = parameter_with_gradient(3.0, -0.1)
    result = Optimizer(trained).step(AdamParams(learning_rate=0.01))
    torch.testing.assert_close(trained["w"].data, torch.tensor([0.99, 1.01]))
    assert result.version == 1
    assert result.metrics["grad_norm"] == pytest.approx((9 + 0.01) ** 0.5)


def test_every_step_has_parameters_of_its_own():
    steps = [
        AdamParams(1e-2, beta1=0.8, beta2=0.9, eps=1e-6, weight_decay=0.1),
        AdamParams(3e-3, beta1=0.9, beta2=0.95, grad_clip_norm=0.5),
        AdamParams(0.0),
        AdamParams(1e-3, weight_decay=0.5),
    ]
    ours = {"w": nn.Parameter(torch.linspace(-1, 1, 10))}
    plain = nn.Parameter(torch.linspace(-1, 1, 10))
    optimizer, adam = Optimizer(ours), torch.optim.AdamW([plain], foreach=False)
    generator = torch.Generator().manual_seed(0)
    for step in steps:
        gradient = torch.randn(10, generator=generator)
        ours["w"].grad, plain.grad = gradient.clone(), gradient.clone()
        if step.grad_clip_norm:
            nn.utils.clip_grad_norm_([plain], step.grad_clip_norm)
        adam.param_groups[0].update(
            lr=step.learning_rate,
            betas=(step.beta1, step.beta2),
            eps=step.eps,
            weight_decay=step.weight_decay,
        )
        adam.step()
        optimizer.step(step)
        torch.testing.assert_close(ours["w"].data, plain.data)


def test_the_norm_is_told_as_it_was_before_clipping():
    trained = parameter_with_gradient(3.0, 4.0)
    result = Optimizer(trained).step(AdamParams(1e-2, grad_clip_norm=1.0))
    assert result.metrics["grad_norm"] == pytest.approx(5.0)
