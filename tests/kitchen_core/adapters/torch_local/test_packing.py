"""Packed documents train as documents by themselves do, on every kind of attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from kitchen_core.adapters.torch_local import attention
from kitchen_core.adapters.torch_local.checkpointing import checkpoint_layers
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.micro_batch import MicroBatch
from kitchen_core.adapters.torch_local.parts import Parts, take_apart
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.train.packing import MicroBatchPlan
from kitchen_core.train.types import Datum
from tests.kitchen_core.adapters.torch_local.architectures import PACKABLE, PADDED, VOCAB, make

CPU = torch.device("cpu")
Gradients = dict[str, torch.Tensor]


def random_datum(length: int, seed: int) -> Datum:
    """Random tokens; a third of the predictions don't count."""
    random = np.random.default_rng(seed)
    tokens = random.integers(0, VOCAB, length + 1)
    weights = random.random(length).astype(np.float32) * (random.random(length) > 1 / 3)
    weights[0] = 1
    return Datum(tokens[:-1], tokens[1:], weights)


# Lengths beyond every window, two runs of similar ones (above and below 32), and a single token.
DATUMS = [random_datum(length, seed) for seed, length in enumerate([9, 40, 3, 21, 1, 44, 9, 300])]


def plain_gradients(model: PreTrainedModel, datums: Sequence[Datum]) -> Gradients:
    """One document at a time through the model's own forward pass and torch's own loss."""
    for datum in datums:
        logits = model(input_ids=torch.from_numpy(datum.tokens)[None], use_cache=False).logits[0]
        losses = torch.nn.functional.cross_entropy(
            logits, torch.from_numpy(datum.targets), reduction="none"
        )
        (losses * torch.from_numpy(datum.weights)).sum().backward()
    return collected(model)


def collected(model: PreTrainedModel) -> Gradients:
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def our_gradients(model: PreTrainedModel, datums: Sequence[Datum], **settings) -> Gradients:
    settings = {"micro_batch_tokens": 4096} | settings
    passes = Passes(Reader(take_apart(model, CPU), Flops.of(model), **settings))
    passes.forward_backward(datums)
    return collected(model)


def assert_equal(found: Gradients, expected: Gradients, tolerance: float = 1e-6) -> None:
    assert found.keys() == expected.keys()
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("name", PACKABLE)
def test_the_packed_gradient_is_that_of_single_documents(name):
    model = make(name)
    expected = plain_gradients(model, DATUMS)
    assert take_apart(model, CPU).isolates
    assert_equal(our_gradients(model, DATUMS), expected)
    assert take_apart(model, CPU).isolates


@pytest.mark.parametrize("name", [*PACKABLE, *PADDED])
def test_the_padded_gradient_is_that_of_single_documents(name):
    model = make(name)
    expected = plain_gradients(model, DATUMS[:4])
    assert_equal(our_gradients(model, DATUMS[:4], packing=False), expected)


@pytest.mark.parametrize("name", PADDED)
def test_what_can_not_be_packed_is_padded(name):
    model = make(name)
    expected = plain_gradients(model, DATUMS[:4])
    parts = take_apart(model, CPU)
    assert parts.pads
    assert not parts.isolates
    assert_equal(our_gradients(model, DATUMS[:4]), expected)


def test_what_padding_would_change_has_passes_of_its_own():
    model = make("llama")
    model.get_input_embeddings().register_forward_hook(
        lambda module, args, output: output + output.mean(1, keepdim=True)  # sees the whole row
    )
    datums = [replace(datum, weights=np.ones_like(datum.weights)) for datum in DATUMS[:4]]
    expected = plain_gradients(model, datums)
    parts = take_apart(model, CPU)
    assert not parts.isolates
    assert not parts.pads
    assert_equal(our_gradients(model, datums), expected)


@pytest.mark.parametrize("micro_batch_tokens", [1, 50, 100])
@pytest.mark.parametrize("name", ["llama", "gemma2, caps and windows"])
def test_any_budget_gives_the_same_gradient(name, micro_batch_tokens):
    model = make(name)
    whole = our_gradients(model, DATUMS)
    assert_equal(our_gradients(model, DATUMS, micro_batch_tokens=micro_batch_tokens), whole)


@pytest.mark.parametrize("logits_at_a_time", [1, VOCAB * 7, VOCAB * 10**6])
def test_any_number_of_logits_at_a_time_gives_the_same_gradient(logits_at_a_time):
    model = make("gemma2, caps and windows")
    whole = our_gradients(model, DATUMS)
    assert_equal(our_gradients(model, DATUMS, logits_at_a_time=logits_at_a_time), whole)


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("name", ["llama", "gemma3, windows", "gpt2", "opt, dropout"])
def test_checkpointed_layers_give_the_same_gradient_and_drop_nothing_out(name, packing):
    model = make(name)
    kept = our_gradients(model, DATUMS, packing=packing)
    checkpoint_layers(model)
    assert_equal(our_gradients(model, DATUMS, packing=packing), kept)


def gradients_of_second(parts: Parts, model: PreTrainedModel, first: Datum) -> Gradients:
    """Of the loss of the second of two packed documents alone."""
    second = DATUMS[0]
    lengths = [len(first), len(second)]
    batch = MicroBatch.of(MicroBatchPlan.of((0, 1), packed=True), lengths, [first, second], CPU)
    logits = parts.logits(parts.hidden(batch))[len(first) :]
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(second.targets)).backward()
    return collected(model)


@pytest.mark.parametrize("name", PACKABLE)
def test_a_neighbour_changes_nothing(name):
    model = make(name)
    parts = take_apart(model, CPU)
    beside_one = gradients_of_second(parts, model, random_datum(40, seed=1))
    beside_other = gradients_of_second(parts, model, random_datum(40, seed=2))
    used = {n: g for n, g in beside_one.items() if "embed" not in n and "wte" not in n}
    assert_equal({n: beside_other[n] for n in used}, used, tolerance=1e-12)


def test_attention_without_documents_is_the_models_own():
    model = make("llama")
    tokens = torch.from_numpy(DATUMS[1].tokens)[None]
    expected = model(input_ids=tokens).logits
    assert attention.install(model)
    assert torch.equal(model(input_ids=tokens).logits, expected)
    with attention.isolated(None):
        torch.testing.assert_close(model(input_ids=tokens).logits, expected)
    attention.uninstall(model)
    assert model.config._attn_implementation == "sdpa"


def test_a_whole_model_is_one_body_where_its_head_is_not_known():
    model = make("llama")
    expected = plain_gradients(model, DATUMS[:4])
    original = model.forward

    def doubled(*args, **kwargs):
        output = original(*args, **kwargs)
        output.logits = 2 * output.logits / 2 + 1e-1 * output.logits[..., :1]
        return output

    model.forward = doubled
    parts = take_apart(model, CPU)
    states = torch.zeros(3, VOCAB, dtype=torch.float64)
    assert parts.head(states) is states
    assert_equal(our_gradients(model, DATUMS[:4]), expected)


def test_predictions_without_weight_are_not_scored_and_nothing_after_the_last_is_read():
    model = make("llama")
    passes = Passes(Reader(take_apart(model, CPU), Flops.of(model), micro_batch_tokens=4096))
    tokens = np.arange(9) % VOCAB
    datum = Datum(tokens[:-1], tokens[1:], np.array([0, 1, 0, 2, 0, 0, 0, 0], np.float32))
    short = Datum(tokens[:4], tokens[1:5], datum.weights[:4])
    long_result, short_result = passes.forward_backward([datum]), passes.forward_backward([short])
    assert np.isnan(long_result.logprobs[0]).tolist() == [True, False, True, False] + [True] * 4
    assert long_result.metrics["loss"] == short_result.metrics["loss"]
    assert long_result.metrics["flops"] == short_result.metrics["flops"]
    assert not np.isnan(passes.forward([datum]).logprobs[0]).any()


def test_a_batch_without_any_weight_has_a_gradient_of_zeros():
    model = make("llama")
    silent = [Datum(d.tokens, d.targets, np.zeros(len(d), np.float32)) for d in DATUMS]
    gradients = our_gradients(model, silent)
    assert len(gradients) == len(list(model.parameters()))
    assert not any(gradient.any() for gradient in gradients.values())


def test_a_custom_loss_is_carried_through_any_layout():
    model = make("gemma2, caps and windows")

    def squares(datums, logprobs):
        return sum((row**2).sum() for row in logprobs), {}

    found = []
    for settings in ({}, {"packing": False}, {"micro_batch_tokens": 50}, {"logits_at_a_time": 99}):
        parts = take_apart(model, CPU)
        passes = Passes(Reader(parts, Flops.of(model), **({"micro_batch_tokens": 4096} | settings)))
        passes.forward_backward_custom(DATUMS, squares)
        found.append(collected(model))
    for gradients in found[1:]:
        assert_equal(gradients, found[0], tolerance=1e-5)  # logprobs go to the loss in float32
