"""The gradient itself, weight by weight."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.parts import take_apart
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.train.losses import find_loss
from kitchen_core.train.types import LossSpec
from tests.contracts.data import DATUMS, negative_sum
from tests.contracts.test_training import LOSSES, policy_loss
from tests.kitchen_core.adapters.torch_local.architectures import make
from tests.kitchen_core.adapters.torch_local.test_packing import DATUMS as RANDOM_DATUMS
from tests.kitchen_core.adapters.torch_local.test_packing import assert_equal as assert_all_equal
from tests.kitchen_core.adapters.torch_local.test_packing import collected

CPU = torch.device("cpu")


def gradients(llama, run, micro_batch_tokens: int) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(llama).eval()
    parts = take_apart(model, CPU)
    run(Passes(Reader(parts, Flops.of(model), micro_batch_tokens=micro_batch_tokens)))
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def assert_equal(one: dict, other: dict) -> None:
    """Equal to float32 rounding, measured against each tensor's largest entry."""
    for name, gradient in one.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(other[name], gradient, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("micro_batch_tokens", [1, 2, 3, 4])
def test_any_micro_batch_tokens_gives_the_gradient_of_one_batch(llama, micro_batch_tokens):
    whole = gradients(llama, lambda passes: passes.forward_backward(DATUMS), 5)
    split = gradients(llama, lambda passes: passes.forward_backward(DATUMS), micro_batch_tokens)
    assert_equal(whole, split)


@pytest.mark.parametrize("micro_batch_tokens", [2, 5])
def test_a_custom_loss_gives_the_gradient_of_the_same_named_loss(llama, micro_batch_tokens):
    named = gradients(llama, lambda passes: passes.forward_backward(DATUMS), 5)
    custom = gradients(
        llama,
        lambda passes: passes.forward_backward_custom(DATUMS, negative_sum),
        micro_batch_tokens,
    )
    assert_equal(named, custom)


def test_a_loss_that_binds_datums_together_is_that_of_one_graph(llama):
    """Squares the total, so that each datum's gradient depends on all the others. What has no weight
    reads as 0.0 and gets no gradient, though the loss takes it in.
    """

    def squared(datums, logprobs):
        return sum(row.sum() for row in logprobs) ** 2 / 100, {}

    model = AutoModelForCausalLM.from_pretrained(llama).eval()
    total = torch.zeros(())
    for datum in DATUMS:
        logits = model(input_ids=torch.from_numpy(datum.tokens)[None]).logits[0]
        logprobs = logits.log_softmax(-1)[range(len(datum)), datum.targets]
        total = total + logprobs[datum.weights != 0].sum()
    (total**2 / 100).backward()
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    split = gradients(llama, lambda passes: passes.forward_backward_custom(DATUMS, squared), 2)
    for name, gradient in expected.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(split[name], gradient, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize(("name", "options"), LOSSES.items())
@pytest.mark.parametrize("micro_batch_tokens", [1, 30, 4096])
def test_a_policy_loss_has_the_gradient_of_its_formula(name, options, micro_batch_tokens):
    """Against all logits of the model and torch's own graph, datum by datum."""
    model = make("llama")
    rows = [
        model(input_ids=torch.from_numpy(d.tokens)[None]).logits[0].log_softmax(-1)
        for d in RANDOM_DATUMS
    ]
    logprobs = [r[range(len(d)), d.targets] for d, r in zip(RANDOM_DATUMS, rows, strict=True)]
    random = np.random.default_rng(0)
    datums = [
        replace(
            datum,
            extra={
                "logprobs": (row.detach().numpy() + random.uniform(-0.4, 0.4, len(row))).astype(
                    "f4"
                ),
                "advantages": random.normal(size=len(row)).astype("f4"),
            },
        )
        for datum, row in zip(RANDOM_DATUMS, logprobs, strict=True)
    ]
    pairs = zip(datums, logprobs, strict=True)
    expected_loss = sum(policy_loss(name, options, datum, row) for datum, row in pairs)
    expected_loss.backward()
    expected = collected(model)
    reader = Reader(take_apart(model, CPU), Flops.of(model), micro_batch_tokens=micro_batch_tokens)
    result = Passes(reader).forward_backward(datums, find_loss(LossSpec(name, options)))
    assert result.metrics["loss"] == pytest.approx(expected_loss.item(), rel=1e-5)
    # A loss over sequences takes logprobs in float32.
    tolerance = 1e-5 if name == "gspo" else 1e-6
    assert_all_equal(collected(model), expected, tolerance)
