"""What every model hub does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kitchen_core.adapters.hugging_face.hub import HuggingFaceHub

from kitchen_core.adapters.memory.hub import MemoryHub
from kitchen_core.train.ports.errors import GatedError, NotFound
from kitchen_core.train.ports.hub import ModelHub
from tests.doubles.hub import HubDouble, Repo, serve

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
    with serve(HubDouble(repos)) as double:
        yield HuggingFaceHub(
            endpoint=double.endpoint, token=None, token_env="HF_TOKEN", folder=tmp_path / "kept"
        )


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
