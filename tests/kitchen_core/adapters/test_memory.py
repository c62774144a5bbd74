"""The double's arithmetic against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kitchen_core.adapters.memory.bigram import Bigram
from kitchen_core.adapters.teaching import taught_datums
from kitchen_core.train.types import AdamParams
from tests.contracts.data import DATUMS
from tests.contracts.test_training import SOFT

VOCAB = 256


def make_bigram() -> Bigram:
    table = np.random.default_rng(0).normal(size=(VOCAB, VOCAB))
    return Bigram(frozen=np.zeros_like(table), trained=table)


def test_its_training_is_that_of_torch():
    bigram = make_bigram()
    table = torch.tensor(bigram.trained, requires_grad=True)
    optimizer = torch.optim.AdamW([table], lr=0.1, betas=(0.9, 0.95), weight_decay=0.01)
    for _ in range(4):
        bigram.add_gradient(DATUMS, [datum.weights for datum in DATUMS])
        result = bigram.step(AdamParams(0.1, weight_decay=0.01, grad_clip_norm=1.0))
        loss = sum(
            (
                torch.from_numpy(datum.weights)
                * torch.nn.functional.cross_entropy(
                    table[datum.tokens], torch.from_numpy(datum.targets), reduction="none"
                )
            ).sum()
            for datum in DATUMS
        )
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_([table], 1.0)
        optimizer.step()
        optimizer.zero_grad()
        np.testing.assert_allclose(result.metrics["grad_norm"], norm.item(), rtol=1e-5)
    np.testing.assert_allclose(bigram.trained, table.detach().numpy(), atol=1e-5)


def test_its_soft_targets_are_those_of_torch():
    bigram = make_bigram()
    table = torch.tensor(bigram.trained, requires_grad=True)
    for datum in SOFT:
        logprobs = table[datum.tokens].log_softmax(-1)
        picked = logprobs.gather(-1, torch.from_numpy(datum.targets))
        np.testing.assert_allclose(
            bigram.target_logprobs(datum), picked.detach().numpy(), atol=1e-5
        )
        (-(picked * torch.from_numpy(datum.weights)).sum()).backward()
    bigram.add_gradient(SOFT, [datum.weights for datum in SOFT])
    np.testing.assert_allclose(bigram.gradient, table.grad, atol=1e-6)


@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl"])
def test_its_divergence_is_that_of_torch(divergence):
    bigram = make_bigram()
    table = torch.tensor(bigram.trained, requires_grad=True)
    teacher = np.random.default_rng(1).normal(size=(VOCAB, VOCAB))
    taught = taught_datums(DATUMS, [[1, 2, 3]] * len(DATUMS))
    for datum, told in zip(DATUMS, taught, strict=True):
        ours = table[datum.tokens[datum.counted]].log_softmax(-1)
        theirs = torch.tensor(teacher[told.tokens[told.counted]]).log_softmax(-1)
        target, given = (theirs, ours) if divergence == "forward_kl" else (ours, theirs)
        kl = torch.nn.functional.kl_div(given, target, reduction="none", log_target=True).sum(-1)
        loss = (kl * torch.from_numpy(datum.weights[datum.counted])).sum()
        loss.backward()
        found = bigram.add_divergence(datum, told, teacher, divergence)
        assert found == pytest.approx(loss.item(), rel=1e-6)
    np.testing.assert_allclose(bigram.gradient, table.grad, atol=1e-8)
