"""Artifacts taken to a blob store, and brought into another home from there."""

import hashlib
import json
from pathlib import Path

import pytest

from kitchen_core.content import tree_manifest
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.train.hashing import sha256_of_json
from kitchen_daemon.client import Refused
from kitchen_daemon.models import Launch
from kitchen_daemon.transfer_models import PullRequest, PushRequest, TransferItem
from tests.kitchen_daemon.support import Daemon, final_sha256, running_daemon

LORA = {"max_steps": 4, "save_every": 0, "eval_every": 0, "lora_rank": 2}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A manifest whose blobs lie in a folder of this module's own."""
    path = tmp_path_factory.mktemp("shared") / "shared.toml"
    path.write_text(f'[ports.blob_store]\nadapter = "local_blobs"\nfolder = "{path.parent}/kept"\n')
    return str(path)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory):
    with running_daemon(tmp_path_factory.mktemp("other")) as running:
        yield running


def pushed(daemon: Daemon, manifest: str, what: str, **options) -> list[TransferItem]:
    return list(daemon.client.push(PushRequest(what=what, manifest=manifest, **options)))


def pulled(daemon: Daemon, manifest: str, sha256: str) -> list[TransferItem]:
    return list(daemon.client.pull(PullRequest(sha256=sha256, manifest=manifest)))


def stored(home: Home, sha256: str):
    with Store.open(home.root) as store:
        return store.find_artifact(sha256)


def test_a_model_goes_to_another_home_and_is_trained_on_there(daemon, undisturbed, other, manifest):
    run, final = undisturbed
    items = pushed(daemon, manifest, run.id)
    (sent,) = items[-1].done or []
    assert (sent.sha256, sent.name, sent.moved_files) == (final, "final", sent.files)
    assert items[0].begun
    assert sent.size_bytes == items[0].begun.size_bytes == sent.moved_bytes

    (again,) = pushed(daemon, manifest, final[:12])[-1].done or []
    assert (again.moved_files, again.moved_bytes) == (0, 0)

    (came,) = pulled(other, manifest, final)[-1].done or []
    assert (came.sha256, came.moved_bytes) == (final, sent.size_bytes)
    artifact = stored(other.home, final)
    assert (artifact.name, artifact.run_id) == ("final", None)
    assert sha256_of_json(tree_manifest(artifact.path)) == final
    assert list(other.home.scratch.iterdir()) == []

    (here,) = pulled(other, manifest, final)[-1].done or []
    assert here.moved_files == 0
    next_run = other.settled(other.launch(model=f"artifact:{final}", max_steps=2).id)
    assert next_run.status == "completed"


def test_an_adapter_comes_with_what_it_belongs_to(daemon, undisturbed, other, manifest):
    run, whole = undisturbed
    launch = Launch(recipe="sl_basic", overrides=LORA | {"model": f"run:{run.id}"})
    adapter_run = daemon.settled(daemon.client.launch(launch).id)
    adapter = final_sha256(adapter_run)

    base, sent = pushed(daemon, manifest, adapter_run.id)[-1].done or []
    assert (base.sha256, sent.sha256) == (whole, adapter)
    assert sent.base == f"artifact:{whole}"

    assert [each.sha256 for each in pulled(other, manifest, adapter)[-1].done or []] == [
        whole,
        adapter,
    ]
    plan = Launch(recipe="sl_basic", overrides=LORA | {"model": f"artifact:{adapter}"})
    assert other.settled(other.client.launch(plan).id).status == "completed"
    graph = other.client.lineage(adapter)
    assert (f"artifact:{whole}", f"artifact:{adapter}", "base") in {
        (edge.source, edge.target, edge.role) for edge in graph.edges
    }


def test_every_artifact_of_a_run_goes_if_asked_for(daemon, undisturbed, manifest):
    run, _ = undisturbed
    done = pushed(daemon, manifest, run.id, every=True)[-1].done or []
    assert {each.sha256 for each in done} == {made.sha256 for made in run.artifacts}


def test_an_interrupted_pull_goes_on_with_what_has_come(daemon, undisturbed, manifest, tmp_path):
    run, final = undisturbed
    pushed(daemon, manifest, run.id)
    with running_daemon(tmp_path / "third") as third:
        items = third.client.pull(PullRequest(sha256=final, manifest=manifest))
        weights = max(tree_manifest(stored(daemon.home, final).path).items())
        came = third.home.scratch / f"pull-{final}" / weights[0]
        came.parent.mkdir(parents=True)
        came.write_bytes((stored(daemon.home, final).path / weights[0]).read_bytes())
        (done,) = list(items)[-1].done or []
        assert done.moved_files == done.files - 1


def test_damaged_content_is_refused_and_never_gets_a_name(daemon, manifest, tmp_path):
    run = daemon.settled(daemon.launch(seed=5, max_steps=1, keep_checkpoints=1).id)
    final = final_sha256(run)
    pushed(daemon, manifest, run.id)
    hashes = tree_manifest(stored(daemon.home, final).path)
    weights = hashes["model.safetensors"]
    blob = Path(manifest).parent / "kept" / "blobs" / weights[:2] / weights
    content = blob.read_bytes()
    blob.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with running_daemon(tmp_path / "third") as third:
        with pytest.raises(Refused, match="damaged") as refused:
            pulled(third, manifest, final)
        assert "push it again" in refused.value.hint
        with Store.open(third.home.root) as store, pytest.raises(LookupError):
            store.find_artifact(final)


def test_a_manifest_that_leads_outside_of_its_tree_is_refused(other, manifest):
    evil = json.dumps({"../../escaped": "0" * 64}).encode()
    sha256 = hashlib.sha256(evil).hexdigest()
    kept = Path(manifest).parent / "kept"
    label = {"kind": "tree", "name": "final", "size_bytes": 1}
    for folder, content in (("blobs", evil), ("notes", json.dumps(label).encode())):
        file = kept / folder / sha256[:2] / sha256
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    with pytest.raises(Refused, match="outside"):
        pulled(other, manifest, sha256)


@pytest.mark.parametrize(
    ("sha256", "said"), [("0" * 64, "no such content"), ("0" * 12, "is not a SHA-256")]
)
def test_what_can_not_be_pulled_is_told(other, manifest, sha256, said):
    with pytest.raises(Refused, match=said):
        pulled(other, manifest, sha256)


def test_what_can_not_be_pushed_is_told(daemon, undisturbed, manifest):
    _, final = undisturbed
    with pytest.raises(Refused, match="there is no artifact 'nothing'"):
        pushed(daemon, manifest, "nothing")
    with pytest.raises(Refused, match="--all is for the artifacts of a run"):
        pushed(daemon, manifest, final, every=True)
    with pytest.raises(Refused, match="there is no manifest 'nothing'"):
        pushed(daemon, "nothing", final)
    with pytest.raises(Refused, match="where blobs are kept"):
        pushed(daemon, "dev", final, adapters={"blob_store": "fsspec"})
