"""A replaced attempt can write nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kitchen_core.store import RunWriter, Store, artifact_node, run_node
from kitchen_core.store.migration import known_version
from kitchen_core.telemetry.ports import ArtifactRecord, MetricRow, RunLog, StaleAttempt
from kitchen_core.telemetry.schema import RunStatus
from tests.kitchen_core.store.support import contents, next_attempt, note, start

RECORD = ArtifactRecord("ab" * 32, "checkpoint-5", "tree", 1, Path("/x"), 5)
A_FILE = Path(__file__)

CALLS: dict[str, Callable[[RunLog], object]] = {
    "append": lambda log: log.append([note("late")]),
    "write_metrics": lambda log: log.write_metrics([MetricRow("loss", 1, 0.5)]),
    "set_status": lambda log: log.set_status(RunStatus.RUNNING),
    "intent": lambda log: log.intent(),
    "set_progress": lambda log: log.set_progress(3, 10, 1.0),
    "store_file": lambda log: log.store_file(A_FILE, "samples"),
    "add_edge": lambda log: log.add_edge(run_node("a", "a"), artifact_node("b", "b"), "made"),
    "save_checkpoint": lambda log: log.save_checkpoint(RECORD, 5, {}),
    "keep_newest": lambda log: log.keep_newest("checkpoint-", 1),
    "rewind": lambda log: log.rewind(0),
}


@pytest.fixture(params=["replaced", "declared over"])
def stale(request: pytest.FixtureRequest, store: Store, writer: RunWriter) -> RunWriter:
    writer.write_metrics([MetricRow("loss", 9, 0.25)])
    if request.param == "replaced":
        next_attempt(store, writer.run_id)
    else:
        store.end_attempt(writer.run_id, writer.attempt, exit_code=None)
    return writer


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_stale_attempt_changes_nothing(
    store: Store, stale: RunWriter, call: Callable[[RunLog], object]
) -> None:
    before = contents(store)
    with pytest.raises(StaleAttempt, match=rf"attempt 1 of run {stale.run_id} was"):
        call(stale)
    assert contents(store) == before
    assert [path for path in (store.home / "artifacts").rglob("*") if path.is_file()] == []


def test_a_stale_attempt_stores_no_tree(store: Store, stale: RunWriter, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_text("w")
    with pytest.raises(StaleAttempt):
        stale.store_tree(tmp_path / "model", "final")
    assert not (store.home / "artifacts/tree").exists()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_the_current_attempt_may_do_all_of_it(
    store: Store, writer: RunWriter, call: Callable[[RunLog], object]
) -> None:
    call(RunWriter(store, writer.run_id, next_attempt(store, writer.run_id)))


def test_delete_beyond_is_fenced_too(store: Store, stale: RunWriter) -> None:
    with pytest.raises(StaleAttempt):
        store.delete_beyond(stale.run_id, 0, stale.attempt)
    assert store.last_values(stale.run_id) == {"loss": 0.25}


def test_one_runs_new_attempt_leaves_the_other_run_alone(store: Store) -> None:
    one, other = start(store, "one"), start(store, "other")
    next_attempt(store, one.run_id)
    other.append([note("still here")])
    assert store.read_events()[-1].run_id == other.run_id


def test_attempts_tell_their_process_and_end_once(store: Store, writer: RunWriter) -> None:
    second = store.begin_attempt(writer.run_id, 4321, 17.25, "boot", Path("/logs/2"))
    assert second == 2
    assert store.get_run(writer.run_id).attempt == 2
    assert [attempt.number for attempt in store.open_attempts()] == [1, 2]
    store.end_attempt(writer.run_id, 2, exit_code=-9)
    store.end_attempt(writer.run_id, 2, exit_code=0)
    assert [attempt.number for attempt in store.open_attempts()] == [1]
    ended = store.attempts(writer.run_id)[1]
    assert (ended.pid, ended.pid_started_at, ended.boot_id) == (4321, 17.25, "boot")
    assert (ended.log_path, ended.exit_code, ended.schema_version) == (
        "/logs/2",
        -9,
        known_version(),
    )
