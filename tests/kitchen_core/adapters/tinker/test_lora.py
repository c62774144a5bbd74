"""Which adapters the service trains."""

from __future__ import annotations

import pytest

from kitchen_core.adapters.tinker import adapter
from kitchen_core.adapters.tinker.lora import Parts, parts_of
from kitchen_core.train.ports.errors import Unsupported
from kitchen_core.train.types import LoraSpec

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


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"lora_alpha": 16}, "lora_alpha is 16"),
        ({"lora_targets": ["q_proj"]}, "q_proj alone"),
        ({"kl": "exact"}, "no exact divergence"),
    ],
)
def test_a_config_that_it_can_not_train_by_is_refused_unasked(setting, what):
    config = {"lora_rank": 8, "lora_alpha": 32, "lora_targets": None, "kl": "auto"}
    assert adapter.check_config is not None
    adapter.check_config(config)
    with pytest.raises(Unsupported, match=what) as refused:
        adapter.check_config(config | setting)
    assert refused.value.hint
