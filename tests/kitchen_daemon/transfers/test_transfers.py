"""A model taken from one home to another by way of a blob store."""

from pathlib import Path

import pytest

from kitchen_core.content import tree_manifest
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.train.hashing import sha256_of_json
from kitchen_daemon.client import Refused
from kitchen_daemon.models import Launch, PullRequest, PushRequest, Transferred
from tests.kitchen_daemon.support import Daemon, final_sha256, running_daemon

LORA = {"max_steps": 2, "save_every": 0, "eval_every": 0, "lora_rank": 2}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A manifest whose blobs lie in a folder of this module's own."""
    path = tmp_path_factory.mktemp("shared") / "shared.toml"
    path.write_text(f'[ports.blob_store]\nadapter = "local_blobs"\nfolder = "{path.parent}/kept"\n')
    return str(path)


def pushed(daemon: Daemon, manifest: str, what: str, **options: object) -> list[Transferred]:
    request = PushRequest.model_validate({"what": what, "manifest": manifest, **options})
    return list(daemon.client.push(request))[-1].done or []


def pulled(daemon: Daemon, manifest: str, sha256: str) -> list[Transferred]:
    return list(daemon.client.pull(PullRequest(sha256=sha256, manifest=manifest)))[-1].done or []


def check_whole(home: Home, sha256: str) -> None:
    with Store.open(home.root) as store:
        found = store.find_artifact(sha256)
    assert (found.name, found.run_id) == ("final", None)
    assert sha256_of_json(tree_manifest(found.path)) == sha256


def test_an_adapter_goes_to_another_home_with_its_base_and_is_trained_on_there(
    daemon, undisturbed, manifest, tmp_path
):
    run, whole = undisturbed
    launch = Launch(recipe="sl_basic", overrides=LORA | {"model": f"run:{run.id}"})
    adapter_run = daemon.settled(daemon.client.launch(launch).id)
    adapter = final_sha256(adapter_run)

    base, sent = pushed(daemon, manifest, adapter_run.id)
    assert (base.sha256, sent.sha256) == (whole, adapter)
    assert sent.base == f"artifact:{whole}"
    assert base.moved_bytes == base.size_bytes
    assert [each.moved_files for each in pushed(daemon, manifest, adapter[:12])] == [0, 0]

    with running_daemon(tmp_path / "other") as other:
        came = pulled(other, manifest, adapter)
        assert [each.sha256 for each in came] == [whole, adapter]
        for sha256 in (whole, adapter):
            check_whole(other.home, sha256)
        assert list(other.home.scratch.iterdir()) == []
        assert [each.moved_files for each in pulled(other, manifest, adapter)] == [0, 0]
        launch = Launch(recipe="sl_basic", overrides=LORA | {"model": f"artifact:{adapter}"})
        trained = other.settled(other.client.launch(launch).id)
        assert trained.status == "completed", trained.error
        edges = other.client.lineage(adapter).edges
        found = {(edge.source, edge.target, edge.role) for edge in edges}
        assert (f"artifact:{whole}", f"artifact:{adapter}", "base") in found
        assert (f"artifact:{adapter}", f"run:{trained.id}", "model") in found


def test_what_can_not_be_taken_anywhere_is_told(daemon, undisturbed, manifest):
    _, final = undisturbed
    with pytest.raises(Refused, match="there is no run or artifact 'nothing'"):
        pushed(daemon, manifest, "nothing")
    with pytest.raises(Refused, match="--all is for the artifacts of a run"):
        pushed(daemon, manifest, final, every=True)
    with pytest.raises(Refused, match="there is no manifest 'nothing'"):
        pushed(daemon, "nothing", final)
    with pytest.raises(Refused, match="fsspec needs the option url"):
        pushed(daemon, "dev", final, adapters={"blob_store": "fsspec"})
    with pytest.raises(Refused, match="no such content"):
        pulled(daemon, manifest, "0" * 64)
    assert Path(manifest).is_file()
