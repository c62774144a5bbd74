"""Exact divergences, weight by weight, against plain torch on one sequence at a time."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from kitchen_core.adapters.teaching import taught_datums
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.parts import take_apart
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.adapters.torch_local.weights import copy_of, swapped
from kitchen_core.train.types import Datum
from tests.kitchen_core.adapters.torch_local.architectures import VOCAB, make
from tests.kitchen_core.adapters.torch_local.test_memory import (
    FULL_LOGITS,
    Largest,
    make_datums,
    make_model,
)
from tests.kitchen_core.adapters.torch_local.test_memory import VOCAB as LARGE_VOCAB
from tests.kitchen_core.adapters.torch_local.test_packing import (
    CPU,
    DATUMS,
    Gradients,
    assert_equal,
    collected,
)

PROMPTS = [
    np.random.default_rng(length).integers(0, VOCAB, length).tolist()
    for length in (3, 50, 1, 40, 2, 5, 70, 1)
]


@dataclass(frozen=True)
class Run:
    """What a pass needs of a teacher's engine."""

    reader: Reader


def reader_of(model: PreTrainedModel, **settings) -> Reader:
    settings = {"micro_batch_tokens": 4096} | settings
    return Reader(take_apart(model, CPU), Flops.of(model), **settings)


def our_gradients(
    model, teacher, divergence, *, told: dict | None = None, **settings
) -> tuple[float, Gradients]:
    taught = reader_of(teacher, **(told or settings))
    result = Passes(reader_of(model, **settings)).forward_backward_divergence(
        DATUMS, lambda: nullcontext(Run(taught)), taught_datums(DATUMS, PROMPTS), divergence
    )
    return result.metrics["loss"], collected(model)


def plain_gradients(model, teacher, divergence) -> tuple[float, Gradients]:
    """From all logits of both models, through torch's own kl_div."""
    total = 0.0
    for datum, prompt in zip(DATUMS, PROMPTS, strict=True):
        first = int(datum.weights.nonzero()[0][0])
        told = torch.tensor([[*prompt, *datum.tokens[first + 1 :]]])
        with torch.no_grad():
            theirs = teacher(input_ids=told).logits[0, len(prompt) - 1 :].log_softmax(-1)
        ours = model(input_ids=torch.from_numpy(datum.tokens)[None]).logits[0, first:]
        ours = ours.log_softmax(-1)
        target, given = (theirs, ours) if divergence == "forward_kl" else (ours, theirs)
        kl = torch.nn.functional.kl_div(given, target, reduction="none", log_target=True).sum(-1)
        loss = (kl * torch.from_numpy(datum.weights[first:])).sum()
        loss.backward()
        total += loss.item()
    return total, collected(model)


@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"packing": False},
        {"micro_batch_tokens": 1},
        {"micro_batch_tokens": 60},
        {"logits_at_a_time": VOCAB * 7},
        {"told": {"packing": False, "micro_batch_tokens": 45}},
    ],
)
def test_the_gradient_is_plain_torchs_in_any_layout(divergence, settings):
    model, teacher = make("llama"), make("gemma2, caps and windows")
    value, expected = plain_gradients(model, teacher, divergence)
    found, gradients = our_gradients(model, teacher, divergence, **settings)
    assert found == pytest.approx(value, rel=1e-6)
    assert_equal(gradients, expected)


@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl"])
def test_the_teacher_may_be_other_weights_of_the_same_model(divergence):
    model = make("llama")
    earlier = copy_of(dict(model.named_parameters()))
    teacher = make("llama")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
            )
    value, expected = plain_gradients(model, teacher, divergence)
    reader = reader_of(model, logits_at_a_time=VOCAB * 50)

    @contextmanager
    def opened():
        with swapped(dict(model.named_parameters()), earlier):
            yield Run(reader)

    result = Passes(reader).forward_backward_divergence(
        DATUMS, opened, taught_datums(DATUMS, PROMPTS), divergence
    )
    assert result.metrics["loss"] == pytest.approx(value, rel=1e-6)
    assert_equal(collected(model), expected)


@pytest.mark.parametrize("divergence", ["reverse_kl", "forward_kl"])
def test_a_vocabulary_that_is_padded_further_counts_as_far_as_both_go(divergence):
    model, teacher, padded = make("llama"), make("qwen3"), make("qwen3")
    padded.resize_token_embeddings(VOCAB + 6, mean_resizing=False)
    assert padded.lm_head.weight.shape[0] == VOCAB + 6
    expected = our_gradients(model, teacher, divergence)
    found = our_gradients(model, padded, divergence)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert_equal(found[1], expected[1], tolerance=1e-12)
    narrower = our_gradients(padded, model, divergence)[1]
    assert not narrower["lm_head.weight"][VOCAB:].any()


def test_full_logits_are_never_held():
    models = make_model(), make_model()
    models[0].model.layers.requires_grad_(True)
    chunk = LARGE_VOCAB * 40
    own, taught = (reader_of(model, logits_at_a_time=chunk) for model in models)
    datums = make_datums()
    with Largest() as largest:
        Passes(own).forward_backward_divergence(
            datums, lambda: nullcontext(Run(taught)), datums, "reverse_kl"
        )
    assert largest.elements <= chunk / 2 < FULL_LOGITS / 50


def test_a_teacher_reads_its_own_prompt_and_then_the_rest():
    tokens = np.arange(10, 16)
    datum = Datum(tokens[:-1], tokens[1:], np.array([0, 0, 1, 0, 2], np.float32))
    silent = Datum(tokens[:-1], tokens[1:], np.zeros(5, np.float32))
    told, kept = taught_datums([datum, silent], [[7, 8], []])
    assert told.tokens.tolist() == [7, 8, 13, 14]
    assert told.targets.tolist()[1:] == [13, 14, 15]
    assert told.weights.tolist() == [0, 1, 0, 2]
    assert kept is silent
