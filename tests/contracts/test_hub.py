"""What every hub of models and every hub of datasets does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from kitchen_core.adapters.hugging_face.access import Access
from kitchen_core.adapters.hugging_face.datasets import HuggingFaceDatasets
from kitchen_core.adapters.hugging_face.models import HuggingFaceModels
from kitchen_core.adapters.memory.hub import MemoryHub
from kitchen_core.train.ports.errors import GatedError, InvalidRequest, NotFound
from kitchen_core.train.ports.hub import DatasetHub, ModelHub
from tests.doubles.hub import GOOD_TOKEN, HubDouble, Repo, serve

COMMIT = "a" * 40


@pytest.fixture
def repo_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture(params=["hugging_face", "memory"])
def hub(request: pytest.FixtureRequest, repo_folder: Path, tmp_path: Path) -> Iterator[ModelHub]:
    """A hub with an open repository and a gated one."""
    if request.param == "memory":
        memory = MemoryHub()
        memory.put("org/open", repo_folder, COMMIT)
        memory.put("org/gated", repo_folder, COMMIT, gated=True)
        yield memory
        return
    repos = {"org/open": Repo(repo_folder), "org/gated": Repo(repo_folder, gated=True)}
    with serve(HubDouble(repos=repos)) as double:
        yield HuggingFaceModels(Access(double.endpoint, None, "HF_TOKEN"), tmp_path / "kept")


@pytest.fixture(params=["hugging_face", "memory"])
def writable(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelHub]:
    """An empty hub on which one may write as `me`."""
    if request.param == "memory":
        yield MemoryHub()
        return
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the double stores as LFS does
    with serve(HubDouble()) as double:
        yield HuggingFaceModels(Access(double.endpoint, GOOD_TOKEN, "HF_TOKEN"), tmp_path / "kept")


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
async def test_a_model_comes_whole_with_its_commit(hub, revision):
    model = await hub.fetch_model("org/open", revision)
    assert model.commit == COMMIT
    assert (model.folder / "model.safetensors").read_bytes() == b"weights"
    assert not any(path.is_symlink() for path in model.folder.rglob("*"))


async def test_the_second_time_gives_the_same_folder(hub):
    assert await hub.fetch_model("org/open") == await hub.fetch_model("org/open", COMMIT)


async def test_what_is_not_there_is_not_found(hub):
    with pytest.raises(NotFound, match="org/missing") as refused:
        await hub.fetch_model("org/missing")
    assert refused.value.hint
    assert refused.value.port == "model_hub"
    assert not refused.value.retryable


async def test_a_revision_that_is_not_there_is_not_found(hub):
    with pytest.raises(NotFound, match="revision"):
        await hub.fetch_model("org/open", "v99")


async def test_a_gated_one_says_that_it_is_gated(hub):
    with pytest.raises(GatedError, match="gated") as refused:
        await hub.fetch_model("org/gated")
    assert "access" in refused.value.hint


async def test_without_weights_comes_what_says_how_a_model_reads(hub):
    model = await hub.fetch_model("org/open", weights=False)
    assert model.commit == COMMIT
    assert (model.folder / "config.json").read_text() == "{}"


async def test_models_are_found_by_a_part_of_their_name(hub):
    assert [entry.repo for entry in await hub.list_models("OPEN")] == ["org/open"]
    (gated,) = await hub.list_models("gated")
    assert gated.gated
    assert len(await hub.list_models("org", limit=1)) == 1
    assert not await hub.list_models("nowhere")


async def test_what_is_uploaded_can_be_fetched(writable, repo_folder):
    uploaded = await writable.upload_model(repo_folder, "me/mine", CARD)
    assert "me/mine" in uploaded.url
    model = await writable.fetch_model("me/mine", uploaded.commit)
    assert (model.folder / "model.safetensors").read_bytes() == b"weights"
    assert (model.folder / "config.json").read_text() == "{}"


async def test_the_same_again_is_the_same_commit(writable, repo_folder):
    first = await writable.upload_model(repo_folder, "me/mine", CARD)
    assert await writable.upload_model(repo_folder, "me/mine", CARD) == first
    (repo_folder / "config.json").write_text('{"a": 1}')
    again = await writable.upload_model(repo_folder, "me/mine", CARD)
    assert again.commit != first.commit


async def test_an_empty_folder_is_not_uploaded(writable, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest, match="no files") as refused:
        await writable.upload_model(tmp_path / "empty", "me/mine", CARD)
    assert refused.value.port == "model_hub"


async def test_a_probe_says_in_a_few_words_what_it_found(hub, datasets):
    assert 0 < len(await hub.probe()) < 60
    assert 0 < len(await datasets.probe()) < 60


ROWS = [{"text": "é", "n": 1}, {"text": "b", "n": 2}]
CARD = """---
configs:
- config_name: small
  data_files:
  - {split: train, path: small/*.jsonl}
- config_name: large
  data_files: large/*.jsonl
---
"""


@pytest.fixture
def data_folder(tmp_path: Path) -> Path:
    """A dataset with two subsets, one a folder."""
    folder = tmp_path / "data"
    for subset in ("small", "large"):
        (folder / subset).mkdir(parents=True)
        lines = [json.dumps(row) for row in (ROWS if subset == "small" else ROWS * 2)]
        (folder / subset / "rows.jsonl").write_text("\n".join(lines))
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.fixture(params=["hugging_face", "memory"])
def datasets(
    request: pytest.FixtureRequest, data_folder: Path, tmp_path: Path
) -> Iterator[DatasetHub]:
    """A hub with an open dataset of two subsets and a gated one."""
    if request.param == "memory":
        memory = MemoryHub()
        subsets = {"small": {"train": ROWS}, "large": {"train": ROWS * 2}}
        memory.put_dataset("org/open", subsets, COMMIT)
        memory.put_dataset("org/gated", subsets, COMMIT, gated=True)
        yield memory
        return
    repos = {"org/open": Repo(data_folder), "org/gated": Repo(data_folder, gated=True)}
    with serve(HubDouble(datasets=repos)) as double:
        yield HuggingFaceDatasets(Access(double.endpoint, None, "HF_TOKEN"), tmp_path / "kept")


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
async def test_a_datasets_rows_come_as_they_are_and_can_be_read_again(datasets, revision):
    data = await datasets.fetch_dataset("org/open", revision, "small")
    assert data.commit == COMMIT
    assert list(data.splits) == ["train"]
    assert [list(data.splits["train"]) for _ in range(2)] == [ROWS, ROWS]


async def test_each_subset_has_rows_of_its_own(datasets):
    data = await datasets.fetch_dataset("org/open", subset="large")
    assert list(data.splits["train"]) == ROWS * 2


@pytest.mark.parametrize("subset", [None, "medium"])
async def test_a_subset_has_to_be_one_that_there_is(datasets, subset):
    with pytest.raises(InvalidRequest, match="large") as refused:
        await datasets.fetch_dataset("org/open", subset=subset)
    assert "hf:org/open#SUBSET" in refused.value.hint


async def test_a_dataset_that_is_not_there_is_not_found(datasets):
    with pytest.raises(NotFound, match="org/missing") as refused:
        await datasets.fetch_dataset("org/missing")
    assert refused.value.hint
    assert refused.value.port == "dataset_hub"


async def test_a_datasets_revision_that_is_not_there_is_not_found(datasets):
    with pytest.raises(NotFound, match="revision"):
        await datasets.fetch_dataset("org/open", "v99", "small")


async def test_a_gated_dataset_says_that_it_is_gated(datasets):
    with pytest.raises(GatedError, match="gated") as refused:
        await datasets.fetch_dataset("org/gated", subset="small")
    assert "access" in refused.value.hint
