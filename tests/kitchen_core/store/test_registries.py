"""Registered models, recipe revisions and schedules."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitchen_core.store import NotFound, RevisionRecord, RunWriter, Store
from kitchen_core.telemetry.ports import ArtifactRecord


def stored(writer: RunWriter, tmp_path: Path, text: str) -> ArtifactRecord:
    source = tmp_path / "source"
    source.write_text(text)
    return writer.store_file(source, f"model {text}")


def test_versions_count_up_and_aliases_move(
    store: Store, writer: RunWriter, tmp_path: Path
) -> None:
    first, second = (stored(writer, tmp_path, text) for text in "ab")
    assert store.register("math", first.sha256, writer.run_id, "prod") == 1
    assert store.register("math", second.sha256, writer.run_id) == 2
    assert store.register("other", second.sha256) == 1
    assert store.resolve("math").version == store.resolve("math", "2").version == 2
    assert store.resolve("math", "prod").artifact_sha256 == first.sha256
    store.promote("math", 2, "prod")
    assert store.resolve("math", "prod") == store.resolve("math", 2)
    assert [(found.version, found.aliases) for found in store.list_models("math")] == [
        (2, ["prod"]),
        (1, []),
    ]
    assert [found.name for found in store.list_models()] == ["math", "math", "other"]


def test_a_resumed_run_registers_once(store: Store, writer: RunWriter, tmp_path: Path) -> None:
    record = stored(writer, tmp_path, "a")
    versions = [store.register("math", record.sha256, writer.run_id) for _ in range(3)]
    assert versions == [1, 1, 1]


def test_a_registered_model_outlives_its_runs_name_for_it(
    store: Store, writer: RunWriter, tmp_path: Path
) -> None:
    record = stored(writer, tmp_path, "a")
    store.register("math", record.sha256, writer.run_id)
    store.remove_artifact(writer.run_id, record.name)
    found = store.find_artifact(store.resolve("math").artifact_sha256)
    assert (found.name, found.run_id, found.path.read_text()) == ("math@1", None, "a")
    assert store.sweep_temporary() == 0


def test_what_is_not_there_is_named(store: Store, writer: RunWriter, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model 'math'"):
        store.resolve("math")
    with pytest.raises(NotFound, match="no artifact 'abc'"):
        store.register("math", "abc")
    assert store.list_models() == []
    store.register("math", stored(writer, tmp_path, "a").sha256, None, "prod")
    with pytest.raises(
        NotFound, match=r"no model version 'math@4' \(did you mean math@1, math@prod\?\)"
    ):
        store.resolve("math", 4)
    for alias in ("latest", "3"):
        with pytest.raises(ValueError, match="already means a version"):
            store.promote("math", 1, alias)


def test_a_revision_that_comes_back_is_the_newest_again(store: Store) -> None:
    def revision(sha256: str, at: float) -> RevisionRecord:
        return RevisionRecord(
            sha256=sha256, recipe="dpo", source_path="/r/dpo.py", git_dirty=True, created_at=at
        )

    first, second = revision("a", 1.0), revision("b", 2.0)
    store.put_revision(first)
    store.put_revision(second)
    assert store.list_revisions("dpo") == [second, first]
    store.put_revision(revision("a", 3.0))
    assert [found.sha256 for found in store.list_revisions("dpo", limit=1)] == ["a"]
    assert store.get_revision("b") == second
    with pytest.raises(NotFound, match="no recipe revision 'c'"):
        store.get_revision("c")
