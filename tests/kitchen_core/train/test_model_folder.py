"""A model folder is told at a glance, and what is wrong with one is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kitchen_core import builtin
from kitchen_core.train.model_folder import inspect_model_folder
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Unsupported


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(builtin.model_folder("tiny"), tmp_path / "model"))


def test_the_embedded_model_is_what_it_says(folder):
    facts = inspect_model_folder(folder)
    assert facts.architecture == "LlamaForCausalLM"
    assert 200_000 < facts.num_parameters < 400_000
    assert facts.bytes == (folder / "model.safetensors").stat().st_size
    assert facts.has_chat_template
    assert facts.adapter_of is None
    assert (facts.model_type, facts.hidden_size) == ("llama", 96)


def test_a_multimodal_model_is_as_wide_as_its_language_model(folder):
    config = {"model_type": "qwen3_5", "text_config": {"hidden_size": 4096}}
    (folder / "config.json").write_text(json.dumps(config))
    facts = inspect_model_folder(folder)
    assert (facts.model_type, facts.hidden_size) == ("qwen3_5", 4096)


def test_a_model_that_names_no_width_has_none(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_embd": 768}))
    assert inspect_model_folder(folder).hidden_size is None


def test_an_adapter_names_its_base(folder):
    weights = folder / "model.safetensors"
    weights.rename(folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "base_model_name_or_path": "org/base"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert inspect_model_folder(folder).adapter_of == "org/base"


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has no weights"),
    ],
)
def test_what_is_missing_is_named_with_the_folder(folder, missing, what):
    (folder / missing).unlink()
    with pytest.raises(NotFound, match=what) as refused:
        inspect_model_folder(folder)
    assert str(folder) in str(refused.value)
    assert refused.value.hint


def test_a_missing_shard_is_named(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(NotFound, match="model-00002-of-00002"):
        inspect_model_folder(folder)


@pytest.mark.parametrize("keep", [4, 100, -10])
def test_weights_that_are_cut_short_are_damaged(folder, keep):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(InvalidRequest, match=r"model\.safetensors is damaged"):
        inspect_model_folder(folder)


def test_a_model_with_code_of_its_own_is_unsupported(folder):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "modeling.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(Unsupported, match="auto_map"):
        inspect_model_folder(folder)


def test_a_config_that_is_no_json_is_named(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(InvalidRequest, match=r"config\.json is no valid JSON"):
        inspect_model_folder(folder)
