"""Content is named by what it is, is whole or not there, and lives as long as a name does."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_core.store import (
    Ambiguous,
    NotFound,
    NotStorable,
    RunWriter,
    Store,
    hash_file,
    tree_manifest,
    tree_sha256,
)
from kitchen_core.telemetry.schema import EventKind
from tests.kitchen_core.store.support import finish, passing_store, python, read_line, start

PUT_TREES = """
import sys
from pathlib import Path
from kitchen_core.store import Store
home, source = map(Path, sys.argv[1:])
with Store.open(home, migrate=False) as store:
    for turn in range(10):
        store.put_tree(source, f"tree-{turn}")
"""

DIE_WHILE_STORING = """
import sys
from pathlib import Path
from kitchen_core.store import Store
store = Store.open(Path(sys.argv[1]), migrate=False)
with store.content.workspace() as workspace:
    (workspace / "half").write_text("half a file")
    print(workspace, flush=True)
    sys.stdin.read()
"""


def make_tree(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def on_disk(store: Store) -> list[str]:
    """The names of all content, and of leftovers."""
    root = store.home / "artifacts"
    return sorted(path.name for folder in ("*/??/*", "tmp/*") for path in root.glob(folder))


def test_a_trees_hash_is_that_of_its_canonical_json(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t", {"b/é.txt": "two", "a.txt": "one"})
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"one", b"two"))
    assert hash_file(tree / "a.txt") == one
    assert tree_manifest(tree) == {"a.txt": one, "b/é.txt": two}
    text = f'{{"a.txt":"{one}","b/é.txt":"{two}"}}'
    assert tree_sha256(tree) == hashlib.sha256(text.encode()).hexdigest()


def test_a_tree_worked_by_hand(tmp_path: Path) -> None:
    """sha256("hi") and then sha256 of the one-line JSON, computed with coreutils."""
    tree = make_tree(tmp_path / "t", {"a": "hi"})
    assert tree_sha256(tree) == "9f522a45914cdc436b0b2a0e4bafd7d06b5e05fe59bcde796c9c8bd60197ff01"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert tree_sha256(empty) == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize("move", [True, False])
def test_a_stored_tree_is_a_plain_folder(store: Store, tmp_path: Path, move: bool) -> None:
    files = {"config.json": "{}", "final/model.safetensors": "weights"}
    source = make_tree(tmp_path / "model", files)
    sha256 = tree_sha256(source)
    stored = store.put_tree(source, "model", move=move)
    assert source.exists() is not move
    assert (stored.sha256, stored.kind, stored.size_bytes) == (sha256, "tree", 9)
    assert stored.path == store.home / "artifacts/tree" / sha256[:2] / sha256
    assert {path: (stored.path / path).read_text() for path in files} == files
    assert on_disk(store) == [sha256]


def test_a_stored_file_is_a_copy(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "samples.jsonl"
    source.write_bytes(b"x" * 3_000_000)
    stored = store.put_file(source, "samples", step=4)
    source.write_text("changed")
    assert stored.sha256 == hashlib.sha256(b"x" * 3_000_000).hexdigest() == hash_file(stored.path)
    assert (stored.kind, stored.size_bytes, stored.step) == ("file", 3_000_000, 4)


@settings(max_examples=10)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()), max_size=12)
)
def test_content_lives_as_long_as_a_name(actions: list[tuple[str, str, bool]]) -> None:
    with passing_store() as store:
        run_id = start(store).run_id
        held: dict[str, str] = {}
        source = store.home / "source"
        for name, text, keep in actions:
            if keep:
                source.write_text(text)
                held[name] = store.put_file(source, name, run_id=run_id).sha256
            elif name in held:
                store.remove_artifact(run_id, name)
                del held[name]
            assert on_disk(store) == sorted(set(held.values()))
            listed = store.list_artifacts(run_id)
            assert {artifact.name: artifact.sha256 for artifact in listed} == held
            assert store.artifacts_of([run_id]) == {run_id: listed}


def test_content_that_was_damaged_is_known_and_storing_it_again_mends_it(
    store: Store, tmp_path: Path
) -> None:
    files = {"state.json": "{}", "session/weights": "1234"}
    stored = store.put_tree(make_tree(tmp_path / "a", files), "checkpoint")
    assert store.is_whole(stored)
    (stored.path / "session/weights").write_text("1235")
    assert not store.is_whole(stored)
    again = store.put_tree(make_tree(tmp_path / "b", files), "checkpoint")
    assert (again.path, store.is_whole(again)) == (stored.path, True)
    (stored.path / "state.json").unlink()
    assert not store.is_whole(stored)
    shutil.rmtree(stored.path)
    assert not store.is_whole(stored)
    file = store.put_file(make_tree(tmp_path / "c", files) / "state.json", "log")
    file.path.write_text("[]")
    assert not store.is_whole(file)


def test_the_same_content_is_kept_once_and_named_twice(store: Store, tmp_path: Path) -> None:
    one, other = start(store, "one"), start(store, "other")
    for log in (one, other):
        log.store_tree(make_tree(tmp_path / log.run_id, {"a": "same"}), "final")
    sha256 = store.get_artifact(one.run_id, "final").sha256
    assert on_disk(store) == [sha256]
    store.remove_artifact(one.run_id, "final")
    assert on_disk(store) == [sha256]
    assert store.find_artifact(sha256).run_id == other.run_id
    assert [gone.name for gone in store.list_artifacts(one.run_id, removed=True)] == ["final"]
    store.remove_artifact(other.run_id, "final")
    assert on_disk(store) == []
    with pytest.raises(NotFound):
        store.find_artifact(sha256)


def test_a_file_that_reads_like_a_trees_manifest_is_another_thing(
    store: Store, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path / "t", {"a": "hi"})
    manifest = tmp_path / "manifest"
    manifest.write_text(f'{{"a":"{hash_file(tree / "a")}"}}')
    stored = [store.put_tree(tree, "tree"), store.put_file(manifest, "file")]
    assert stored[0].sha256 == stored[1].sha256
    assert stored[0].path.is_dir()
    assert stored[1].path.is_file()


def test_storing_tells_the_log_and_the_lineage(
    store: Store, writer: RunWriter, tmp_path: Path
) -> None:
    record = writer.store_tree(make_tree(tmp_path / "m", {"a": "hi"}), "final", step=9)
    event = store.read_events(run_id=writer.run_id)[-1]
    assert (event.kind, event.step, event.attempt) == (EventKind.ARTIFACT_CREATED, 9, 1)
    assert event.metadata == {
        "sha256": record.sha256,
        "name": "final",
        "kind": "tree",
        "size_bytes": 2,
    }
    _, edges = store.graph(f"run:{writer.run_id}")
    assert edges == [(f"run:{writer.run_id}", f"artifact:{record.sha256}", "made")]
    writer.save_checkpoint(record, 9, {"cursor": 3})
    saved = store.read_events(run_id=writer.run_id)[-1]
    assert saved.kind is EventKind.CHECKPOINT_SAVED
    assert saved.metadata == {"cursor": 3, "sha256": record.sha256, "name": "final"}
    assert store.get_run(writer.run_id).progress_step == 9


def test_only_the_newest_checkpoints_stay_and_the_lineage_leaves_them_out(
    store: Store, writer: RunWriter, tmp_path: Path
) -> None:
    other = start(store, "other")
    for step in (2, 4, 10, 12):
        tree = make_tree(tmp_path / "c", {"step": str(step)})
        writer.store_tree(tree, f"checkpoint-{step}", step=step, made=False)
    other.store_tree(make_tree(tmp_path / "c", {"step": "2"}), "checkpoint-2", made=False)
    writer.store_tree(make_tree(tmp_path / "c", {"step": "12"}), "final")
    writer.keep_newest("checkpoint-", 2)
    kept = [artifact.name for artifact in store.list_artifacts(writer.run_id)]
    assert kept == ["checkpoint-10", "checkpoint-12", "final"]
    assert len(on_disk(store)) == 3, "10, 12 (which is final too), and the other run's 2"
    _, edges = store.graph(f"run:{writer.run_id}")
    assert len(edges) == 1


def test_artifacts_are_found_by_prefix(store: Store, tmp_path: Path) -> None:
    stored = {}
    for index in range(40):
        source = tmp_path / "source"
        source.write_text(str(index))
        artifact = store.put_file(source, f"file-{index}")
        stored[artifact.sha256] = artifact
    for sha256, artifact in stored.items():
        assert store.find_artifact(sha256) == store.find_artifact(sha256[:20].upper()) == artifact
    crowded = next(sha[0] for sha in stored if sum(other[0] == sha[0] for other in stored) > 1)
    with pytest.raises(Ambiguous, match="fits more than one artifact"):
        store.find_artifact(crowded)


def test_links_and_devices_are_refused(store: Store, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t", {"a": "one"})
    (tree / "link").symlink_to("a")
    with pytest.raises(NotStorable, match="symbolic link"):
        store.put_tree(tree, "t")
    with pytest.raises(NotStorable, match="symbolic link"):
        store.put_file(tree / "link", "t")
    (tree / "link").unlink()
    os.mkfifo(tree / "pipe")
    with pytest.raises(NotStorable, match="not a regular file"):
        store.put_tree(tree, "t", move=True)
    with pytest.raises(NotStorable, match="is not a folder"):
        store.put_tree(tree / "a", "t")
    with pytest.raises(NotStorable, match="not a regular file"):
        store.put_file(tree, "t")
    assert on_disk(store) == []
    assert (tree / "a").read_text() == "one"


def test_processes_may_store_the_same_tree_at_once(store: Store, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "t", {f"{index}": "x" * index for index in range(10)})
    for process in [python(PUT_TREES, store.home, tree) for _ in range(2)]:
        finish(process)
    assert on_disk(store) == [tree_sha256(tree)]
    assert tree_sha256(store.find_artifact(tree_sha256(tree)).path) == tree_sha256(tree)


def test_a_sweep_takes_what_the_dead_left_and_nothing_of_the_living(
    store: Store, tmp_path: Path
) -> None:
    dead, alive = (python(DIE_WHILE_STORING, store.home) for _ in range(2))
    left, used = (Path(read_line(process)) for process in (dead, alive))
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    nameless = store.content.place("file", "ab" * 32)
    nameless.parent.mkdir(parents=True)
    nameless.write_text("published by a process that died before its row was there")
    kept = store.put_tree(make_tree(tmp_path / "t", {"a": "one"}), "kept")
    assert store.sweep_temporary() == 2
    assert not left.exists()
    assert not nameless.exists()
    assert (used / "half").exists()
    assert kept.path.exists()
    finish(alive)
    assert on_disk(store) == [kept.sha256]
