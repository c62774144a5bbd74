"""Runs are found by what users call them, and change status only as the table allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.store import Ambiguous, NewRun, NotFound, RunWriter, Store
from kitchen_core.store.ids import ID_LENGTH, new_id
from kitchen_core.telemetry.ports import StaleAttempt
from kitchen_core.telemetry.schema import EventKind, Intent, RunError, RunStatus
from kitchen_core.telemetry.status import STATUS_EVENTS, TRANSITIONS, InvalidTransition
from tests.kitchen_core.store.support import SUBMISSION, bring_to, contents


def submit(store: Store, **changes: object) -> str:
    return store.create_run(SUBMISSION.model_copy(update=changes)).id


def kinds(store: Store, run_id: str) -> list[EventKind]:
    return [event.kind for event in store.read_events(run_id=run_id)]


def test_a_submission_comes_back_as_it_was_given(store: Store) -> None:
    parent = submit(store)
    new = NewRun(
        name="second",
        recipe="dpo",
        workflow="preference",
        preset="gpu",
        manifest="prod",
        adapters={"training_client": "tinker"},
        seed=2**62,
        config={"learning_rate": 1e-4, "nested": {"a": [1, None]}},
        config_hash="c0ffee",
        pins={"hf:a/b": "main@1"},
        recipe_revision="ab" * 32,
        priority=-1,
        after=[parent],
        parents=[parent],
        retry_of=parent,
        total_steps=50,
    )
    run = store.create_run(new)
    assert store.get_run(run.id) == run
    assert {field: getattr(run, field) for field in NewRun.model_fields} == dict(new)
    assert (run.attempt, run.progress_step, run.intent, run.error) == (0, 0, None, None)
    assert run.started_at is None
    assert kinds(store, run.id) == [EventKind.RUN_CREATED, EventKind.RUN_QUEUED]


def test_a_held_submission_says_why(store: Store) -> None:
    run_id = submit(store, status=RunStatus.HELD, reason="waits for math")
    assert kinds(store, run_id) == [EventKind.RUN_CREATED, EventKind.RUN_HELD]
    assert store.read_events(run_id=run_id)[-1].metadata == {"reason": "waits for math"}
    assert store.queued_ids() == []


@given(st.lists(st.integers(1_735_689_600_000, 2_800_000_000_000), min_size=2))
def test_ids_sort_as_their_times(milliseconds: list[int]) -> None:
    ids = [new_id(moment / 1000 + 0.0001) for moment in sorted(set(milliseconds))]
    assert ids == sorted(ids)
    assert {len(id_) for id_ in ids} <= {ID_LENGTH}


def test_a_run_is_found_by_id_name_and_prefix(store: Store) -> None:
    old, new = submit(store, name="math"), submit(store, name="math")
    for text in (new, new.upper(), f" {new} ", "math", new[:-1]):
        assert store.find_run(text).id == new
    assert store.find_run(old).id == old


def test_a_prefix_of_several_names_them(store: Store) -> None:
    ids = [submit(store, name=name) for name in ("a", "b")]
    with pytest.raises(Ambiguous) as ambiguous:
        store.find_run(ids[0][:4])
    assert ambiguous.value.candidates == [f"{ids[1]} (b)", f"{ids[0]} (a)"]
    assert "fits more than one run" in str(ambiguous.value)


def test_an_unknown_name_suggests_the_close_ones(store: Store) -> None:
    submit(store, name="arithmetic")
    with pytest.raises(NotFound, match=r"no run 'aritmetic' \(did you mean arithmetic\?\)"):
        store.find_run("aritmetic")
    for text in ("", "%", "zzzz"):
        with pytest.raises(NotFound):
            store.find_run(text)


def test_the_newest_run_of_a_recipe_leaves_out_what_ended_badly(store: Store) -> None:
    ids = [submit(store, recipe=recipe) for recipe in ("a", "a", "b")]
    bring_to(store, ids[1], RunStatus.FAILED)
    lost = [RunStatus.FAILED, RunStatus.CANCELLED]
    newest = store.newest_run("a", unlike=lost)
    assert newest is not None
    assert newest.id == ids[0]
    assert store.newest_run("a", unlike=[*lost, RunStatus.QUEUED]) is None


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "ix_run_created_at"),
        ({"status": RunStatus.QUEUED}, "ix_run_status"),
        ({"recipe": "a"}, "ix_run_recipe"),
        ({"name": "a"}, "ix_run_name"),
        ({"before": "1qnc"}, "ix_run_created_at"),
        ({"recipe": "a", "before": "1qnc"}, "ix_run_recipe"),
    ],
)
def test_lists_are_read_off_an_index_in_their_order(
    store: Store, asked: dict[str, Any], index: str
) -> None:
    read: list[str] = []
    store.db.connection().set_trace_callback(read.append)
    store.list_runs(limit=20, **asked)
    store.db.connection().set_trace_callback(None)
    plan = " ".join(row["detail"] for row in store.db.rows(f"EXPLAIN QUERY PLAN {read[-1]}"))
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_lists_are_newest_first_and_filter(store: Store) -> None:
    ids = [submit(store, name=name, recipe=name[0]) for name in ("a1", "b1", "a2")]
    bring_to(store, ids[0], RunStatus.COMPLETED)
    assert [run.id for run in store.list_runs()] == ids[::-1]
    assert [run.name for run in store.list_runs(recipe="a")] == ["a2", "a1"]
    assert [run.name for run in store.list_runs(limit=2)] == ["a2", "b1"]
    assert [run.name for run in store.list_runs(before=ids[2])] == ["b1", "a1"]
    assert [run.name for run in store.list_runs(recipe="a", before=ids[2])] == ["a1"]
    assert store.list_runs(before=ids[0]) == []
    assert [run.name for run in store.list_runs(status=RunStatus.QUEUED, recipe="a")] == ["a2"]
    assert [run.id for run in store.list_runs(name="b1")] == [ids[1]]


def test_the_queue_goes_by_priority_then_age(store: Store) -> None:
    for name, priority in [("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)]:
        submit(store, name=name, priority=priority)
    assert [store.get_run(run_id).name for run_id in store.queued_ids()] == [
        "b",
        "d",
        "a",
        "c",
        "e",
    ]


@pytest.mark.parametrize("asked", RunStatus)
@pytest.mark.parametrize("current", RunStatus)
def test_status_changes_follow_the_table(
    store: Store, current: RunStatus, asked: RunStatus
) -> None:
    run_id = submit(store)
    bring_to(store, run_id, current)
    before = contents(store)
    if asked in TRANSITIONS[current]:
        run = store.transition(run_id, asked, reason="because")
        assert (run.status, run.reason) == (asked, "because")
        assert (run.finished_at is not None) == asked.is_final
        event = store.read_events(run_id=run_id)[-1]
        assert (event.kind, event.metadata) == (STATUS_EVENTS[asked], {"reason": "because"})
    else:
        with pytest.raises(InvalidTransition, match=f"a {current} run can't be {asked}"):
            store.transition(run_id, asked)
        assert contents(store) == before


def test_a_failure_is_kept_until_the_run_is_queued_again(store: Store) -> None:
    run_id = submit(store)
    bring_to(store, run_id, RunStatus.RUNNING)
    error = RunError(
        type="OutOfMemory", message="no room", hint="smaller batch", log_tail=["a", "b"]
    )
    failed = store.transition(run_id, RunStatus.FAILED, error=error)
    assert failed.error == error
    assert store.read_events(run_id=run_id)[-1].metadata == {"error": error.model_dump()}
    queued = store.transition(run_id, RunStatus.QUEUED)
    assert (queued.error, queued.finished_at) == (None, None)
    assert queued.started_at == failed.started_at


def test_an_intent_lasts_until_the_worker_has_followed_it(store: Store, writer: RunWriter) -> None:
    assert writer.intent() is None
    store.set_intent(writer.run_id, Intent.PAUSE)
    writer.set_status(RunStatus.RUNNING)
    assert writer.intent() is Intent.PAUSE
    writer.set_status(RunStatus.PAUSED)
    assert store.get_run(writer.run_id).intent is None


def test_the_daemon_settles_only_the_attempt_that_it_means(store: Store, writer: RunWriter) -> None:
    writer.set_status(RunStatus.RUNNING)
    with pytest.raises(StaleAttempt):
        store.transition(writer.run_id, RunStatus.INTERRUPTED, expect_attempt=7)
    assert store.get_run(writer.run_id).status is RunStatus.RUNNING


def test_progress_is_no_event(store: Store, writer: RunWriter) -> None:
    before = store.read_events()
    writer.set_progress(3, 10, 1.5)
    run = store.get_run(writer.run_id)
    assert (run.progress_step, run.total_steps, run.eta_s) == (3, 10, 1.5)
    assert store.read_events() == before


def test_a_pin_is_kept_for_later_attempts(store: Store, writer: RunWriter) -> None:
    writer.pin("org/name", "hf:org/name@abc")
    writer.pin("other/name", "hf:other/name@def")
    assert store.get_run(writer.run_id).pins == {
        "org/name": "hf:org/name@abc",
        "other/name": "hf:other/name@def",
    }


def test_an_unknown_run_is_said_to_be_unknown(store: Store) -> None:
    calls = [
        lambda: store.get_run("x"),
        lambda: store.hold("x", ""),
        lambda: store.move("x", "first"),
        lambda: store.transition("x", RunStatus.RUNNING),
        lambda: store.begin_attempt("x", 1, 0.0, "", ""),
        lambda: store.write_metrics("x", [("loss", 1, 1.0)]),  # type: ignore[list-item]
    ]
    for call in calls:
        with pytest.raises(NotFound, match="there is no run 'x'"):
            call()
