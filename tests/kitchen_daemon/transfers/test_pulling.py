"""Trees and files on their way between two stores, without a daemon: damage and interruption."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen_core.adapters.local_blobs.blobs import LocalBlobs
from kitchen_core.content import sha256_of_model
from kitchen_core.home import Home
from kitchen_core.refs import RefError
from kitchen_core.store import NewRun, NotFound
from kitchen_core.store.records import AdapterBaseRecord
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_daemon.models import PushRequest, TransferItem
from kitchen_daemon.running.stored import StoredModels
from kitchen_daemon.transfers import transfers as transfers_module
from kitchen_daemon.transfers.parcels import Packer
from kitchen_daemon.transfers.pulling import Locks
from kitchen_daemon.transfers.transfers import Transfers
from tests.kitchen_daemon.transfers.support import FILES, contents, pulling, put, send, tree

names = st.lists(st.sampled_from(["a", "b", "é", "c.json"]), min_size=1, max_size=3).map("/".join)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(names, st.binary(max_size=20), max_size=4))
def test_any_tree_arrives_as_it_was(store, other, blobs, tmp_path_factory, files):
    paths = set(files)
    inner = {path for path in paths if any(each.startswith(f"{path}/") for each in paths)}
    files = {path: content for path, content in files.items() if path not in inner}
    folder = tmp_path_factory.mktemp("tree")
    sha256 = put(store, folder, files)
    asyncio.run(send(blobs, store, sha256))
    asyncio.run(pulling(blobs, other).pull(sha256))
    assert contents(other.find_artifact(sha256).path) == files


async def test_a_file_arrives_under_its_name(store, other, blobs, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    sha256 = store.put_file(tmp_path / "notes.txt", "recipes/notes.diff").sha256
    await send(blobs, store, sha256)
    await pulling(blobs, other).pull(sha256)
    found = other.find_artifact(sha256)
    assert (found.name, found.kind) == ("recipes/notes.diff", "file")
    assert found.path.read_text() == "hello"


async def test_a_pull_that_was_interrupted_goes_on_with_what_has_come(
    store, other, blobs, tmp_path
):
    sha256 = put(store, tmp_path / "tree")
    await send(blobs, store, sha256)
    weights = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    blobs.damage(weights)
    with pytest.raises(InvalidRequest, match="damaged"):
        await pulling(blobs, other).pull(sha256)
    with pytest.raises(NotFound):
        other.find_artifact(sha256)
    blobs.damage(weights)  # flipped back
    (done,) = await pulling(blobs, other).pull(sha256)
    came = sum(path < "model.safetensors" for path in FILES)
    assert done.moved_files == len(FILES) - came < len(FILES)
    assert contents(other.find_artifact(sha256).path) == FILES


async def test_what_an_interrupted_pull_has_left_is_looked_at_before_it_is_used(
    store, other, blobs, tmp_path
):
    sha256 = put(store, tmp_path / "tree")
    await send(blobs, store, sha256)
    tree(other.home / "scratch" / f"pull-{sha256}", {"config.json": b"another"})
    await pulling(blobs, other).pull(sha256)
    assert contents(other.find_artifact(sha256).path) == FILES


async def test_a_file_that_a_killed_pull_has_left_half_does_not_become_a_part_of_the_tree(
    store, other, blobs, tmp_path
):
    sha256 = put(store, tmp_path / "tree")
    await send(blobs, store, sha256)
    folder = other.home / "scratch" / f"pull-{sha256}"
    tree(folder, {"config.json": b"{}", ".model.safetensors.0a1b": b"ww", "deep/.er.txt.1b": b""})
    await pulling(blobs, other).pull(sha256)
    assert contents(other.find_artifact(sha256).path) == FILES


async def test_two_adapters_with_one_base_come_at_the_same_time(store, other, blobs, tmp_path):
    base = put(store, tmp_path / "base")
    adapters = []
    for name in ("a", "b"):
        files = {"adapter_config.json": b"{}", name: b""}
        adapters.append(put(store, tmp_path / name, files))
        ref = AdapterBaseRecord(ref=f"artifact:{base}", sha256=base)
        store.keep_base(adapters[-1], ref)
        await send(blobs, store, adapters[-1])
    locks = Locks()
    done = await asyncio.gather(
        *(pulling(blobs, other, locks).pull(adapter) for adapter in adapters)
    )
    moved = sorted(base.moved_files for base, _ in done)
    assert moved == [0, len(FILES)]  # the second waited, and found it here
    assert not locks


async def test_a_base_on_the_hub_stays_there_and_is_named(store, other, blobs, tmp_path):
    sha256 = put(store, tmp_path / "tree", {"adapter_config.json": b"{}"})
    base = AdapterBaseRecord(ref="hf:org/base@" + "c" * 40, sha256=None)
    store.keep_base(sha256, base)
    assert len(await send(blobs, store, sha256)) == 1
    (done,) = await pulling(blobs, other).pull(sha256)
    assert done.base == base.ref
    assert StoredModels(other).of_artifact(sha256).base == base.ref


async def test_a_base_in_a_folder_of_this_machine_goes_with_its_adapter(
    store, other, blobs, tmp_path
):
    folder = tree(tmp_path / "base", {"config.json": b"{}", "model.safetensors": b"w", "x.py": b""})
    adapter = put(store, tmp_path / "tree", {"adapter_config.json": b"{}"})
    pinned = sha256_of_model(folder)
    store.keep_base(adapter, AdapterBaseRecord(ref=f"file:{folder}", sha256=pinned))
    await send(blobs, store, adapter)
    base, _ = await pulling(blobs, other).pull(adapter)
    assert base.sha256 == pinned
    found = other.find_artifact(pinned)
    assert (found.name, set(contents(found.path))) == ("base", {"config.json", "model.safetensors"})
    assert StoredModels(other).of_artifact(adapter).base == f"artifact:{pinned}"

    (folder / "config.json").write_text('{"other": 1}')
    with pytest.raises(RefError, match="has changed"):
        Packer(store).pack(adapter, every=False)


def test_a_registered_adapter_of_a_run_has_the_runs_base(store, tmp_path):
    config = {"model": "builtin:tiny"}
    run = store.create_run(NewRun(name="n", recipe="r", workflow="w", config=config))
    files = tree(tmp_path / "tree", {"adapter_config.json": b"{}"})
    attempt = store.begin_attempt(run.id, 1, 0.0, "boot", "/log")
    made = store.put_tree(files, "final", run_id=run.id, attempt=attempt)
    store.register("mine", made.sha256, run.id, attempt=attempt)
    assert StoredModels(store).of_registry("mine", "latest").base == "builtin:tiny"


def test_a_run_without_a_model_says_what_can_be_sent(store):
    run = store.create_run(NewRun(name="n", recipe="r", workflow="w"))
    with pytest.raises(RefError, match=r"no final model \(it is queued\); --all"):
        Packer(store).pack(run.id, every=False)
    with pytest.raises(RefError, match="has made nothing yet"):
        Packer(store).pack(run.id, every=True)


def test_an_artifact_that_is_damaged_here_is_not_sent(store, tmp_path):
    sha256 = put(store, tmp_path / "tree")
    (store.find_artifact(sha256).path / "config.json").write_bytes(b"[]")
    with pytest.raises(RefError, match="damaged"):
        Packer(store).pack(sha256, every=False)


async def test_a_push_that_nobody_reads_any_more_ends_and_the_next_goes_on(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr(transfers_module, "TURN_S", 0.001)
    sha256 = put(store, tmp_path / "tree", FILES | {"z.bin": bytes(30_000_000)})
    manifest = tmp_path / "mine.toml"
    kept = tmp_path / "kept"
    manifest.write_text(f'[ports.blob_store]\nadapter = "local_blobs"\nfolder = "{kept}"\n')
    transfers = Transfers(Home(store.home), store)
    lines = transfers.push(PushRequest(what=sha256, manifest=str(manifest)))
    async for line in lines:
        item = TransferItem.model_validate_json(line)
        if item.file and item.file.path == "z.bin":
            assert item.file.state == "moving"
            break
    await lines.aclose()  # type: ignore[attr-defined]  # a generator is behind it
    assert list((kept / "tmp").iterdir()) == []
    assert not await LocalBlobs(kept).has(sha256)
    items = [
        TransferItem.model_validate_json(line)
        async for line in transfers.push(PushRequest(what=sha256, manifest=str(manifest)))
    ]
    (done,) = items[-1].done or []
    assert done.moved_files == 1
    assert await LocalBlobs(kept).has(sha256)


async def test_a_daemon_that_stops_says_so_to_those_who_watch(store, tmp_path):
    sha256 = put(store, tmp_path / "tree")
    transfers = Transfers(Home(store.home), store)
    lines = transfers.push(PushRequest(what=sha256, manifest="test"))
    waiting = asyncio.ensure_future(anext(aiter(lines)))
    await asyncio.sleep(0)  # it begins
    transfers.close()
    item = TransferItem.model_validate_json(await waiting)
    assert item.problem
    assert "stopping" in item.problem.message


async def test_no_line_has_a_key(store, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "sk-planted-0123456789")
    lines = Transfers(Home(store.home), store).push(PushRequest(what="sk-planted-0123456789"))
    (line,) = [line async for line in lines]
    problem = TransferItem.model_validate_json(line).problem
    assert problem
    assert problem.message == "there is no run or artifact '[SOME_KEY]'"
