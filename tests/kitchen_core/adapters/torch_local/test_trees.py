"""Documents that share what they begin with train as documents by themselves do."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from kitchen_core.adapters.torch_local.branches import Branches, Forest
from kitchen_core.adapters.torch_local.checkpointing import checkpoint_layers
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.adapters.torch_local.forward import Passes
from kitchen_core.adapters.torch_local.parts import take_apart
from kitchen_core.adapters.torch_local.reading import Reader
from kitchen_core.train.losses import find_loss
from kitchen_core.train.types import Datum, LossSpec
from tests.kitchen_core.adapters.torch_local.architectures import PACKABLE, VOCAB, make
from tests.kitchen_core.adapters.torch_local.test_packing import (
    assert_equal,
    collected,
    our_gradients,
    plain_gradients,
    random_datum,
)

CPU = torch.device("cpu")


def completion(prompt: list[int], answer: list[int]) -> Datum:
    """The answer's tokens have weights, all different."""
    tokens = np.array([*prompt, *answer])
    weights = np.zeros(len(tokens) - 1, np.float32)
    weights[len(prompt) - 1 :] = np.arange(1, len(answer) + 1) / 3
    return Datum(tokens[:-1], tokens[1:], weights)


def group(prompt: list[int], seed: int, *lengths: int) -> list[Datum]:
    random = np.random.default_rng(seed)
    return [completion(prompt, random.integers(0, VOCAB, n).tolist()) for n in lengths]


PROMPT, OTHER = [5, 6, 7, 8, 9, 10, 11, 12, 13], [5, 6, 3, 4]
DATUMS = [
    *group(PROMPT, 1, 3, 8, 1, 5),  # one ends where the prompt does
    *group(PROMPT, 1, 3),  # as the first
    completion(PROMPT, [1, 2, 3, 4]),
    completion(PROMPT, [1, 2, 9]),  # parts with the one before it later than the prompt
    *group(OTHER, 2, 6, 7),
    random_datum(40, seed=3),
    random_datum(3, seed=4),
]


def reader(
    model: PreTrainedModel, *, packing: bool = True, micro_batch_tokens: int = 4096
) -> Reader:
    parts = take_apart(model, CPU)
    return Reader(parts, Flops.of(model), packing=packing, micro_batch_tokens=micro_batch_tokens)


@pytest.mark.parametrize("name", PACKABLE)
def test_the_gradient_of_a_tree_is_that_of_its_documents(name):
    model = make(name)
    expected = plain_gradients(model, DATUMS)
    (batch,) = reader(model).micro_batches(DATUMS, [len(datum) for datum in DATUMS])
    assert batch.documents is not None
    assert batch.documents.branched
    assert batch.tokens.numel() < sum(map(len, DATUMS)) - 4 * len(PROMPT)
    assert_equal(our_gradients(model, DATUMS), expected)


@pytest.mark.parametrize("micro_batch_tokens", [1, 20, 30, 60])
@pytest.mark.parametrize("name", ["llama", "gemma2, caps and windows"])
def test_any_budget_gives_the_same_gradient(name, micro_batch_tokens):
    model = make(name)
    expected = plain_gradients(model, DATUMS)
    found = our_gradients(model, DATUMS, micro_batch_tokens=micro_batch_tokens)
    assert_equal(found, expected)


@cache
def windowed() -> PreTrainedModel:
    return make("mistral, windows")


FORESTS = st.lists(
    st.tuples(st.lists(st.integers(0, 1), min_size=2, max_size=14), st.integers(0, 13)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=20, deadline=None)
@given(FORESTS, st.integers(1, 80))
def test_random_families_have_the_gradient_of_their_documents(documents, micro_batch_tokens):
    """Of two tokens, so that much is shared; the predictions count from a place of their own on."""
    datums = [
        completion(d[: 1 + at % (len(d) - 1)], d[1 + at % (len(d) - 1) :]) for d, at in documents
    ]
    model = windowed()
    found = our_gradients(model, datums, micro_batch_tokens=micro_batch_tokens)
    assert_equal(found, plain_gradients(model, datums))


def test_checkpointed_layers_give_the_same_gradient():
    model = make("gemma3, windows")
    expected = plain_gradients(model, DATUMS)
    checkpoint_layers(model)
    assert_equal(our_gradients(model, DATUMS), expected)


@pytest.mark.parametrize("name", ["importance_sampling", "gspo"])
def test_a_policy_loss_sees_each_documents_own_logprobs(name):
    """The shared token's one state serves predictions of different targets and advantages."""
    random = np.random.default_rng(0)
    datums = [
        replace(
            datum,
            extra={
                "logprobs": random.normal(-4, 0.1, len(datum)).astype("f4"),
                "advantages": random.normal(size=len(datum)).astype("f4"),
            },
        )
        for datum in DATUMS
    ]
    options = {"clip_low": 0.1, "clip_high": 9.0} if name == "gspo" else {}
    loss, found = find_loss(LossSpec(name, options)), []
    model = make("llama")
    for packing in (True, False):
        result = Passes(reader(model, packing=packing)).forward_backward(datums, loss)
        found.append((result, collected(model)))
    (shared, gradients), (alone, expected) = found
    for one, other in zip(shared.logprobs, alone.logprobs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert shared.metrics["loss"] == pytest.approx(alone.metrics["loss"], rel=1e-5)
    assert shared.metrics["flops"] < 0.7 * alone.metrics["flops"]
    assert_equal(gradients, expected, 1e-5)


@pytest.mark.parametrize("micro_batch_tokens", [40, 4096])
def test_a_custom_loss_binds_documents_of_a_tree_together(micro_batch_tokens):
    def squares(datums, logprobs):
        return torch.cat(list(logprobs)).sum() ** 2 / 100, {}

    model = make("llama")
    found = []
    for packing in (True, False):
        laid_out = reader(model, packing=packing, micro_batch_tokens=micro_batch_tokens)
        Passes(laid_out).forward_backward_custom(DATUMS, squares)
        found.append(collected(model))
    assert_equal(*found, tolerance=1e-5)  # logprobs go to the loss in float32


def test_every_prediction_is_scored_where_tokens_are_shared():
    model = make("qwen3")
    shared = reader(model).scored(DATUMS)
    for datum, row in zip(DATUMS, shared.logprobs, strict=True):
        logits = model(input_ids=torch.from_numpy(datum.tokens)[None]).logits[0]
        expected = logits.log_softmax(-1)[range(len(datum)), datum.targets]
        np.testing.assert_allclose(row, expected.detach(), rtol=1e-5)


def test_the_likeliest_tokens_are_those_of_each_document():
    model = make("llama")
    sequences = [np.append(datum.tokens, datum.targets[-1]) for datum in DATUMS]
    found = reader(model).top_logprobs(sequences, 3)
    alone = reader(model, packing=False).top_logprobs(sequences, 3)
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.tokens, other.tokens)
        np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=1e-5)


def test_a_model_that_looks_at_the_token_before_is_packed_and_shares_nothing():
    """Its layers mix in the row's last token, which in a tree may be another document's."""
    model = make("llama")

    def shifted(module, args, kwargs, output):
        begins = kwargs["position_ids"][..., None] == 0
        return output + output.roll(1, dims=1).masked_fill(begins, 0)

    model.model.layers[0].register_forward_hook(shifted, with_kwargs=True)
    parts = take_apart(model, CPU)
    assert parts.isolates
    assert not parts.shares
    assert_equal(our_gradients(model, DATUMS), plain_gradients(model, DATUMS))


def test_who_sees_whom_by_hand():
    """a b c, then a d behind it: b and c end where d begins, a at the end of the row."""
    forest = Forest.of([3, 2], [0, 1])
    assert forest.sizes == [4]
    assert forest.positions.tolist() == [0, 1, 2, 1]
    assert forest.places is not None
    assert forest.ends is not None
    assert forest.places.tolist() == [0, 1, 2, 0, 3]
    assert forest.ends.tolist() == [4, 3, 3, 4]
    branches = Branches.of(forest.ends[None], forest.positions[None], CPU)
    assert branches.seen[0, 0].int().tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [1, 0, 0, 1],
    ]
    hidden = -torch.inf
    assert branches.bias(2, torch.float32)[0, 0].tolist()[2] == [hidden, 0, 0, hidden]
    assert branches.bias(None, torch.float32)[0, 0].tolist()[2] == [0, 0, 0, hidden]
