"""Manifests resolve in one order, and what is wrong in one is named with the nearest that is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen_core.adapters.manifest import (
    ManifestError,
    find_adapters,
    manifest_names,
    resolve_manifest,
)
from kitchen_core.adapters.memory.session import MemoryTraining
from kitchen_core.adapters.wiring import Wiring, missing_secrets


def write(home: Path, name: str, text: str) -> None:
    (home / "manifests").mkdir(exist_ok=True)
    (home / "manifests" / f"{name}.toml").write_text(text)


def adapters_of(manifest) -> dict[str, str]:
    return {port: choice.adapter for port, choice in manifest.ports.items()}


def test_dev_is_local_and_test_is_in_memory(tmp_path):
    assert adapters_of(resolve_manifest("dev", {}, tmp_path)) == {
        "training_client": "torch_local",
        "dataset_reader": "local_files",
        "model_hub": "hugging_face",
        "dataset_hub": "hugging_face",
        "python_bridge": "python_bridge",
        "llm": "openai",
    }
    test = adapters_of(resolve_manifest("test", {}, tmp_path))
    assert (test["training_client"], test["python_bridge"]) == ("memory", "memory")


def test_a_manifest_of_the_home_comes_before_a_shipped_one_and_defaults_fill_the_rest(tmp_path):
    write(tmp_path, "dev", '[ports.model_hub]\nadapter = "memory"\n')
    manifest = resolve_manifest("dev", {}, tmp_path)
    assert manifest.ports["model_hub"].adapter == "memory"
    assert manifest.ports["training_client"].adapter == "torch_local"


def test_the_runs_own_choice_comes_last_and_drops_another_adapters_options(tmp_path):
    write(tmp_path, "lab", '[ports.model_hub]\nadapter = "hugging_face"\nendpoint = "http://lab"\n')
    kept = resolve_manifest("lab", {"model_hub": "hugging_face"}, tmp_path)
    assert kept.ports["model_hub"].options == {"endpoint": "http://lab"}
    replaced = resolve_manifest("lab", {"model_hub": "memory"}, tmp_path)
    assert replaced.ports["model_hub"].options == {}


def test_a_path_is_a_manifest_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[retry]\nattempts = 2\n")
    assert resolve_manifest(str(path), {}, tmp_path).retry.attempts == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[ports.model_hubb]\nadapter = "memory"\n', "did you mean 'model_hub'"),
        ('[ports.model_hub]\nadapter = "hugging_fase"\n', "did you mean 'hugging_face'"),
        ('[ports.model_hub]\nadapter = "torch_local"\n', "hugging_face, memory can"),
        (
            '[ports.model_hub]\nadapter = "hugging_face"\nend_point = "x"\n',
            "no option 'end_point'; did you mean 'endpoint'?",
        ),
        ("[ports.model_hub]\n", "ports.model_hub.adapter: Field required"),
        ("[retry]\nattempt = 3\n", "unknown key retry.attempt; did you mean 'attempts'?"),
        ("[retry]\nattempts = 0\n", "retry.attempts: Input should be greater than or equal to 1"),
        ("[port]\n", "unknown key port; did you mean 'ports'?"),
        ("[ports\n", "no valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    write(tmp_path, "lab", text)
    with pytest.raises(ManifestError) as refused:
        resolve_manifest("lab", {}, tmp_path)
    assert message in str(refused.value)
    assert "lab.toml" in str(refused.value)


def test_a_manifest_that_is_not_there_is_named(tmp_path):
    write(tmp_path, "lab", "")
    assert manifest_names(tmp_path) == ["dev", "lab", "prod", "test"]
    with pytest.raises(ManifestError, match="no manifest 'labb'; did you mean 'lab'"):
        resolve_manifest("labb", {}, tmp_path)
    with pytest.raises(ManifestError, match="no manifest file"):
        resolve_manifest("./nowhere.toml", {}, tmp_path)


def test_an_override_of_nothing_is_named(tmp_path):
    with pytest.raises(ManifestError, match="did you mean 'training_client'"):
        resolve_manifest("dev", {"training_clients": "memory"}, tmp_path)


def test_every_adapter_says_who_it_is():
    adapters = find_adapters()
    assert {"torch_local", "local_files", "hugging_face", "memory"} <= adapters.keys()
    for name, adapter in adapters.items():
        assert adapter.name == name
        assert adapter.summary


def test_wiring_connects_what_the_manifest_names(tmp_path):
    wiring = Wiring(resolve_manifest("test", {}, tmp_path), secrets={})
    client = wiring.connect("training_client")
    assert client.start_session.__wrapped__.__self__.__class__ is MemoryTraining
    assert wiring.connect("training_client") is client


def test_nothing_is_missing_without_keys(tmp_path):
    for name in ("dev", "test", "prod"):
        assert missing_secrets(resolve_manifest(name, {}, tmp_path), {}) == []
