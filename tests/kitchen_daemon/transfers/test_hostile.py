"""A blob store that others write to: nothing that they leave there gets out of its place here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from kitchen_core.adapters.memory.blobs import MemoryBlobs
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_daemon.transfers import pulling as pulling_module
from tests.kitchen_daemon.transfers.support import pulling, put, send


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "", "a\0b"])
async def test_a_manifest_that_leads_out_of_its_tree_is_refused(other, blobs, tmp_path, path):
    manifest = json.dumps({path: "0" * 64}).encode()
    sha256 = await _planted(blobs, tmp_path, manifest)
    with pytest.raises(InvalidRequest, match="outside"):
        await pulling(blobs, other).pull(sha256)


@pytest.mark.parametrize("content", [b"no JSON", b"[]", b'{"a": 1}', b'{"a": "../b"}'])
async def test_a_manifest_that_is_none_is_refused(other, blobs, tmp_path, content):
    sha256 = await _planted(blobs, tmp_path, content)
    with pytest.raises(InvalidRequest, match="no manifest"):
        await pulling(blobs, other).pull(sha256)


async def _planted(blobs: MemoryBlobs, tmp_path: Path, manifest: bytes) -> str:
    (tmp_path / "manifest").write_bytes(manifest)
    sha256 = hashlib.sha256(manifest).hexdigest()
    await blobs.put(tmp_path / "manifest", sha256)
    await blobs.put_note(sha256, '{"kind": "tree", "name": "final", "size_bytes": 1}')
    return sha256


async def test_a_manifest_that_is_absurdly_large_is_not_taken_in(
    other, blobs, tmp_path, monkeypatch
):
    monkeypatch.setattr(pulling_module, "MOST_MANIFEST_BYTES", 1000)
    sha256 = await _planted(blobs, tmp_path, b" " * 3_000_000)
    with pytest.raises(InvalidRequest, match="larger than a manifest"):
        await pulling(blobs, other).pull(sha256)
    assert list((other.home / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    "paths", [["a\x1b[2J"], ["a\nb"], ["\ud800"], ["a", "a/b"], ["a", "./a"], ["x" * 300]]
)
async def test_paths_that_no_tree_has_are_refused_before_anything_comes(
    other, blobs, tmp_path, paths
):
    manifest = json.dumps(dict.fromkeys(paths, "0" * 64)).encode()
    sha256 = await _planted(blobs, tmp_path, manifest)
    with pytest.raises(InvalidRequest, match="of this tree") as refused:
        await pulling(blobs, other).pull(sha256)
    assert str(refused.value).isprintable()


ELSEWHERE = ["file:/etc", "run:sl_basic", "model:mine@1", "artifact:../../x", "what?", "/etc"]


@pytest.mark.parametrize("ref", ELSEWHERE)
async def test_a_base_that_means_something_else_here_is_refused(store, other, blobs, tmp_path, ref):
    sha256 = put(store, tmp_path / "tree")
    await send(blobs, store, sha256)
    label = json.loads(await blobs.get_note(sha256)) | {"base": {"ref": ref, "sha256": None}}
    await blobs.put_note(sha256, json.dumps(label))
    with pytest.raises(InvalidRequest, match=r"the label .* can't be read"):
        await pulling(blobs, other).pull(sha256)


@pytest.mark.parametrize("lie", [{"name": "a\x1b[2J"}, {"name": ""}, {"size_bytes": -1}])
async def test_a_label_that_no_push_writes_is_refused(store, other, blobs, tmp_path, lie):
    sha256 = put(store, tmp_path / "tree")
    await send(blobs, store, sha256)
    label = json.loads(await blobs.get_note(sha256))
    await blobs.put_note(sha256, json.dumps(label | lie))
    with pytest.raises(InvalidRequest, match=r"the label .* can't be read"):
        await pulling(blobs, other).pull(sha256)


async def test_an_adapter_that_is_its_own_base_is_refused(store, other, blobs, tmp_path):
    sha256 = put(store, tmp_path / "tree")
    await send(blobs, store, sha256)
    label = json.loads(await blobs.get_note(sha256))
    label["base"] = {"ref": f"artifact:{sha256}", "sha256": sha256}
    await blobs.put_note(sha256, json.dumps(label))
    with pytest.raises(InvalidRequest, match="itself an adapter"):
        await pulling(blobs, other).pull(sha256)
