"""The double's arithmetic against torch."""

from __future__ import annotations

import numpy as np
import torch

from kitchen_core.adapters.memory.bigram import Bigram
from kitchen_core.train.types import AdamParams
from tests.contracts.data import DATUMS

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
