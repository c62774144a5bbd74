"""Manifests resolve in one order, and what is wrong in one is named with the nearest that is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest, manifest_names, resolve_manifest


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
        "blob_store": "local_blobs",
        "python_bridge": "python_bridge",
        "llm": "openai",
    }
    test = adapters_of(resolve_manifest("test", {}, tmp_path))
    assert (test["training_client"], test["python_bridge"]) == ("memory", "memory")


def test_prod_trains_and_keeps_its_checkpoints_at_a_service(tmp_path):
    prod = adapters_of(resolve_manifest("prod", {}, tmp_path))
    assert (prod["training_client"], prod["checkpoints"]) == ("tinker", "tinker")
    assert "checkpoints" not in adapters_of(resolve_manifest("dev", {}, tmp_path))


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
            "no option 'end_point' for model_hub; did you mean 'endpoint'?",
        ),
        ("[ports.model_hub]\n", "[ports.model_hub] names no adapter; write adapter ="),
        ("[retry]\nattempt = 3\n", "unknown key retry.attempt; did you mean 'attempts'?"),
        ("[retry]\nattempts = 0\n", "retry.attempts: given 0, expected 1 or more"),
        ("[retry]\nattempts = 'many'\n", "retry.attempts: given 'many', expected a whole number"),
        ("[retry]\ntries = 3\n", "unknown key retry.tries; there is attempts, "),
        ("[ports]\nmodel_hub = 'memory'\n", "given 'memory', expected a table: [ports.model_hub]"),
        ("[ports]\nmodel_hub.adapter = 'x'\n", "for model_hub; there is hugging_face, memory"),
        (
            "[ports.blob_store]\nadapter = 'fsspec'\n",
            "fsspec needs the option url for blob_store",
        ),
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
    adapters = find_adapters().by_name
    assert {"torch_local", "local_files", "hugging_face", "memory"} <= adapters.keys()
    for name, adapter in adapters.items():
        assert adapter.name == name
        assert adapter.summary


def test_an_option_of_the_run_comes_on_top_and_is_typed_by_the_adapter(tmp_path):
    write(tmp_path, "lab", '[ports.llm]\nadapter = "openai"\nconcurrency = 2\nproject = "p"\n')
    given = {
        "llm.concurrency": "5",
        "llm.timeout_s": "7",
        "llm.project": "none",
        "python_bridge.libraries": '["sympy"]',
        "training_client": "tinker",
        "training_client.train_unembed": "false",
        "training_client.base_model": "8",
    }
    manifest = resolve_manifest("lab", given, tmp_path)
    assert manifest.ports["llm"].options == {"concurrency": 5, "project": None, "timeout_s": 7.0}
    assert manifest.ports["python_bridge"].options == {"libraries": ["sympy"]}
    assert manifest.ports["training_client"].options == {"train_unembed": False, "base_model": "8"}
    assert Manifest.model_validate(manifest.model_dump(mode="json")) == manifest


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"llm.timeout": "5"}, "openai has no option 'timeout' for llm; did you mean 'timeout_s'?"),
        ({"llm.timeout_s": "soon"}, "llm.timeout_s: given 'soon', expected a number"),
        ({"llm.timeout_s": "nan"}, "llm.timeout_s: given 'nan', expected a number"),
        ({"llm.concurrency": "1.5"}, "llm.concurrency: given '1.5', expected a whole number"),
        (
            {"python_bridge.libraries": "sympy"},
            "python_bridge.libraries: given 'sympy', expected a list of text",
        ),
        (
            {"training_client": "tinker", "training_client.train_unembed": "perhaps"},
            "training_client.train_unembed: given 'perhaps', expected true or false",
        ),
        (
            {"training_client.base_model": "x"},
            "torch_local has no option 'base_model' for training_client; it takes none",
        ),
        (
            {"checkpoints": "tinker", "checkpoints.base_model": "x"},
            "tinker has no option 'base_model' for checkpoints",
        ),
        ({"lm.timeout_s": "5"}, "there is no port 'lm'; did you mean 'llm'?"),
        (
            {"checkpoints.base_url": "http://x"},
            "checkpoints.base_url: the manifest names no adapter for checkpoints; name one by "
            "--adapter checkpoints=NAME",
        ),
    ],
)
def test_an_option_of_the_run_that_cant_be_is_refused(tmp_path, override, message):
    with pytest.raises(ManifestError) as refused:
        resolve_manifest("dev", override, tmp_path)
    assert message in str(refused.value)
    assert ".toml" not in str(refused.value)  # the user wrote it on the line, not in a file


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("concurrency = 1.5", "llm.concurrency: given 1.5, expected a whole number"),
        ("concurrency = true", "llm.concurrency: given True, expected a whole number"),
        ("base_url = 8", "llm.base_url: given 8, expected text"),
        ("timeout_s = [1]", "llm.timeout_s: given [1], expected a number"),
    ],
)
def test_an_option_of_another_type_in_a_manifest_is_refused_with_its_file(tmp_path, line, message):
    write(tmp_path, "lab", f'[ports.llm]\nadapter = "openai"\n{line}\n')
    with pytest.raises(ManifestError) as refused:
        resolve_manifest("lab", {}, tmp_path)
    assert str(refused.value).endswith(f"lab.toml: {message}")
