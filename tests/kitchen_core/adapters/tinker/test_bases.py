"""What a model and its adapter are called at the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen_core.adapters.tinker.bases import adapter_note, base_name, check_known
from kitchen_core.train.ports.errors import NotFound, Unsupported
from kitchen_core.train.types import ModelSource


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
