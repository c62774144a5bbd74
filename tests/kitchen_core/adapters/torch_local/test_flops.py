"""The arithmetic of a pass, counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM

from kitchen_core.adapters.torch_local import lora
from kitchen_core.adapters.torch_local.device import peak_flops
from kitchen_core.adapters.torch_local.flops import Flops
from kitchen_core.train.types import LoraSpec, ModelSource
from tests.kitchen_core.adapters.torch_local.architectures import make

# The Llama of `make_llama`: per layer q 32x32, k and v 32x16, o 32x32, and three of 32x64; two norms.
LINEAR = 2 * (32 * 32 + 2 * 32 * 16 + 32 * 32 + 3 * 32 * 64)
NORMS = 5 * 32
HEAD = 260 * 32  # tied: it counts as the output layer, once a prediction


def test_a_trained_token_takes_six_operations_a_weight_and_attention_its_documents_length(llama):
    flops = Flops.of(AutoModelForCausalLM.from_pretrained(llama))
    attention = 12 * 2 * 32 * (10 * 10 + 4 * 4)  # 12 L h d T, for ten tokens and for four
    assert flops.training([10, 4], 5) == 6 * (LINEAR + NORMS) * 14 + 6 * HEAD * 5 + attention


def test_tokens_that_are_read_with_another_document_are_not_counted_again(llama):
    """Of ten and of eight, six shared: 12 tokens, two of which look at eight."""
    flops = Flops.of(AutoModelForCausalLM.from_pretrained(llama))
    attention = 12 * 2 * 32 * (10 * 10 + 2 * 8)
    expected = 6 * (LINEAR + NORMS) * 12 + 6 * HEAD * 5 + attention
    assert flops.training([10, 8], 5, shared=[0, 6]) == expected
    assert flops.forward([10, 8], 5, shared=[0, 6]) == pytest.approx(expected / 3)


def test_so_many_pairs_take_what_a_token_takes(llama):
    flops = Flops.of(AutoModelForCausalLM.from_pretrained(llama))
    pair = 4 * 32 * 2  # in two layers
    assert flops.pairs_a_token * pair == 2 * (LINEAR + NORMS)


def test_the_forward_pass_is_a_third(llama):
    flops = Flops.of(AutoModelForCausalLM.from_pretrained(llama))
    assert flops.forward([10, 4], 5) == pytest.approx(flops.training([10, 4], 5) / 3)


def test_frozen_weights_have_no_gradient_of_their_own(llama):
    base = AutoModelForCausalLM.from_pretrained(llama)
    spec = LoraSpec(rank=4, targets=("q_proj",))
    flops = Flops.of(lora.attach(base, ModelSource("x", llama), spec, seed=0))
    adapter = 2 * (32 * 4 + 4 * 32)
    attention = 12 * 2 * 32 * 100
    assert flops.training([10], 5) == (
        4 * (LINEAR + NORMS) * 10 + 6 * adapter * 10 + 4 * HEAD * 5 + attention
    )


def test_a_window_shortens_what_is_attended_to():
    """Two layers, one of which sees five tokens; 4 heads of 8."""
    flops = Flops.of(make("gemma3, windows"))
    both = {window for _, window in flops.attention}
    assert both <= {5, None}
    longer = flops.forward([300], 0) - flops.forward([150], 0) * 2
    whole_layers = sum(window is None for _, window in flops.attention)
    assert longer == 4 * 32 * (300 * 300 - 2 * 150 * 150) * whole_layers


def test_torchs_own_counter_agrees_on_the_matrix_products(llama):
    model = AutoModelForCausalLM.from_pretrained(llama, attn_implementation="eager")
    tokens = torch.zeros(1, 10, dtype=torch.int64)
    with FlopCounterMode(display=False) as counted:
        model(input_ids=tokens, use_cache=False)
    norms = 2 * NORMS * 10  # theirs leaves out what is no matrix product
    assert Flops.of(model).forward([10], 10) - norms == pytest.approx(
        counted.get_total_flops(), rel=0.01
    )


def test_a_mixture_counts_the_experts_that_see_a_token():
    from transformers import Qwen3MoeConfig

    sizes = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = Qwen3MoeConfig(
        **sizes,
        num_key_value_heads=4,
        head_dim=8,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
    )
    flops = Flops.of(AutoModelForCausalLM.from_config(config))
    attention, norms, router = 4 * 32 * 32, 3 * 32 + 2 * 8, 4 * 32
    assert flops.forward([1], 0) == 2 * (attention + norms + router + 2 * 3 * 32 * 16) + 4 * 32


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
    ],
)
def test_the_peak_is_found_by_the_devices_name(name, tflops):
    assert peak_flops(name) == tflops * 1e12


@pytest.mark.parametrize(
    "name",
    ["NVIDIA H100 80GB HBM3 MIG 1g.10gb", "NVIDIA GeForce RTX 4090 Laptop GPU", "Quadro K620", ""],
)
def test_the_peak_of_a_part_or_of_an_unknown_device_is_not_guessed(name):
    assert peak_flops(name) is None


def test_an_embedding_table_of_its_own_is_looked_up_for_nothing():
    model = make("llama")
    assert isinstance(model.lm_head, nn.Linear)
    assert model.lm_head.weight is not model.get_input_embeddings().weight
    before = Flops.of(model)
    model.get_input_embeddings().weight = nn.Parameter(torch.zeros(1000, 32))
    assert Flops.of(model) == before
