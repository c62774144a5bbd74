"""Weights counted by shapes, against models that transformers and PEFT build without allocating them."""

import json

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen3Config,
)

from kitchen_core import builtin
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.model_shape import ModelShape, shape_of

SIZES = {
    "vocab_size": 500,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 16,
}


def built(config: PretrainedConfig) -> torch.nn.Module:
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def shape(config: PretrainedConfig) -> ModelShape:
    found = shape_of(config.to_dict())
    assert found is not None
    return found


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", [LlamaConfig, MistralConfig])
def test_the_shapes_give_the_weights_that_the_model_has(kind, tied):
    config = kind(**SIZES, tie_word_embeddings=tied)
    own = sum(parameter.numel() for parameter in built(config).parameters())
    assert shape(config).by_shapes() == own


def test_norms_of_heads_are_the_one_thing_left_out():
    config = Qwen3Config(**SIZES, tie_word_embeddings=True)
    own = sum(parameter.numel() for parameter in built(config).parameters())
    assert own - shape(config).by_shapes() == 3 * 2 * 16  # layers x (queries, keys) x head size


@pytest.mark.parametrize("targets", [(), ("q_proj", "v_proj"), ("down_proj", "lm_head")])
def test_an_adapter_weighs_what_peft_makes_of_it(targets):
    config = LlamaConfig(**SIZES, tie_word_embeddings=False)
    model = get_peft_model(
        built(config),
        LoraConfig(r=8, target_modules=list(targets) or "all-linear", task_type="CAUSAL_LM"),
    )
    own = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert shape(config).lora_parameters(8, targets) == own


def test_a_folder_says_its_shape_and_counts_what_it_stores():
    folder = builtin.model_folder("tiny")
    found = inspect_model_folder(folder)
    assert found.shape is not None
    assert found.shape.num_parameters == found.num_parameters == found.shape.by_shapes()
    assert (
        found.shape.layers == json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    )


def test_a_language_model_within_another_is_found():
    found = shape_of({"text_config": LlamaConfig(**SIZES).to_dict(), "vision_config": {}})
    assert found is not None
    assert (found.hidden, found.kv_width) == (64, 32)


def test_a_config_that_leaves_something_out_has_no_shape():
    assert shape_of({"hidden_size": 64, "vocab_size": 500}) is None


def test_only_the_experts_that_see_a_token_count_for_it():
    config = LlamaConfig(**SIZES).to_dict() | {"num_experts": 8, "num_experts_per_tok": 2}
    found = shape_of(config)
    assert found is not None
    attention, expert = 2 * 64 * (128 + 32), 3 * 64 * 160
    assert found.body == 3 * (attention + 8 * expert)
    assert found.body_of_a_token == 3 * (attention + 2 * expert)
