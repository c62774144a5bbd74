"""What a model and its adapter are called at the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen_core.adapters.tinker.bases import Parts, adapter_note, base_name, check_known, parts_of
from kitchen_core.train.ports.errors import NotFound, Unsupported
from kitchen_core.train.types import LoraSpec, ModelSource

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (ATTENTION, Parts(train_attn=True, train_mlp=False, train_unembed=False)),
        (MLP, Parts(train_attn=False, train_mlp=True, train_unembed=False)),
        ((*MLP, "lm_head"), Parts(train_attn=False, train_mlp=True, train_unembed=True)),
    ],
)
def test_whole_groups_of_modules_are_parts_of_the_model(targets, expected):
    assert parts_of(LoraSpec(8, targets=targets), train_unembed=False) == expected


@pytest.mark.parametrize("train_unembed", [True, False])
def test_all_linear_reaches_the_output_layer_where_the_manifest_says_so(train_unembed):
    found = parts_of(LoraSpec(8), train_unembed=train_unembed)
    assert found == Parts(train_attn=True, train_mlp=True, train_unembed=train_unembed)


@pytest.mark.parametrize(
    ("lora", "what"),
    [
        (LoraSpec(8, targets=("q_proj", "v_proj")), "q_proj, v_proj alone"),
        (LoraSpec(8, targets=(*MLP, "embed_tokens")), "embed_tokens alone"),
        (LoraSpec(8, targets=()), "nothing alone"),
        (LoraSpec(8, alpha=16), "lora_alpha is 16, at Tinker it is 32"),
    ],
)
def test_other_adapters_are_unsupported(lora, what):
    with pytest.raises(Unsupported, match=what) as refused:
        parts_of(lora, train_unembed=True)
    assert refused.value.hint


def test_a_hub_name_is_the_services_name_unless_the_manifest_gives_another():
    source = ModelSource("Qwen/Qwen3-8B", Path())
    assert base_name(source, None) == "Qwen/Qwen3-8B"
    assert base_name(source, "/models/qwen") == "/models/qwen"


@pytest.mark.parametrize("name", ["builtin:tiny", "sha256:" + "0" * 64])
def test_a_model_without_a_hub_name_needs_one(name):
    with pytest.raises(Unsupported, match=name) as refused:
        base_name(ModelSource(name, Path()), None)
    assert "base_model" in refused.value.hint


def test_a_model_that_the_server_has_not_is_refused_with_a_near_one():
    with pytest.raises(NotFound, match="did you mean 'Qwen/Qwen3-8B'"):
        check_known("Qwen/Qwen3-8b", ["Qwen/Qwen3-8B", "meta-llama/Llama-3.2-1B"])
    check_known("anything", [])


def test_an_adapter_that_was_made_elsewhere_can_not_be_taken_up(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    with pytest.raises(Unsupported, match="made elsewhere"):
        adapter_note(ModelSource("org/tiny", tmp_path, adapter=tmp_path))
