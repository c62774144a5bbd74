"""What waits: read, held, released, moved, and paused with its group."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitchen_core.needs import Placement
from kitchen_core.store import NotFound, RunWriter, Store
from kitchen_core.store.errors import NotWaiting
from kitchen_core.store.runs import StatusChange
from kitchen_core.store.waiting import Wait
from kitchen_core.telemetry.schema import Intent, PausedFor, RunStatus
from tests.kitchen_core.store.support import (
    SUBMISSION,
    bring_to,
    next_attempt,
    passing_store,
    start,
)


def submit(store: Store, name: str = "a", **changes: object) -> str:
    return store.create_run(SUBMISSION.model_copy(update={"name": name, **changes})).id


def order(store: Store) -> list[str]:
    return [row.name for row in store.waiting_rows()]


def paused_by_the_kitchen(store: Store, name: str = "a") -> str:
    writer = start(store, name)
    writer.set_status(RunStatus.RUNNING)
    assert store.set_aside(writer.run_id, PausedFor.WINDOW)
    writer.set_status(RunStatus.PAUSED, reason="its window has closed")
    store.end_attempt(writer.run_id, writer.attempt, 0)
    return writer.run_id


def events_of(store: Store, run_id: str) -> list[tuple[str, str | None]]:
    return [(e.kind, e.metadata.get("reason")) for e in store.read_events(run_id=run_id)]


def test_queued_held_and_set_aside_runs_wait_and_no_others(store: Store) -> None:
    for status in RunStatus:
        bring_to(store, submit(store, status), status)
    paused_by_the_kitchen(store, "set aside")
    assert sorted(order(store)) == ["held", "queued", "set aside"]


def test_parents_are_read_with_what_is_asked_of_them(store: Store) -> None:
    first, second = submit(store, "first"), submit(store, "second")
    child = submit(store, "child", after=[first], after_any=[second])
    bring_to(store, second, RunStatus.FAILED)
    assert sorted(store.parents_of_waiting()) == sorted(
        [(child, first, "first", "queued", 1), (child, second, "second", "failed", 0)]
    )


def test_a_held_run_stays_held_until_it_is_released(store: Store) -> None:
    run_id = submit(store)
    store.hold(run_id, "held")
    store.hold(run_id, "held")
    store.settle_waits((), [run_id])
    assert store.get_run(run_id).status is RunStatus.HELD
    store.release(run_id, None)
    assert store.get_run(run_id).status is RunStatus.QUEUED
    assert events_of(store, run_id)[1:] == [
        ("run.queued", None),
        ("run.held", "held"),
        ("run.queued", "released"),
    ]


def test_a_released_run_that_waits_for_another_stays_held_for_that(store: Store) -> None:
    run_id = submit(store, status=RunStatus.HELD, is_held=True, reason="held")
    store.release(run_id, "after b")
    run = store.get_run(run_id)
    assert (run.status, run.reason, run.is_held) == (RunStatus.HELD, "after b", False)


def test_a_run_that_the_kitchen_paused_can_be_held(store: Store) -> None:
    run_id = paused_by_the_kitchen(store)
    store.hold(run_id, "held")
    run = store.get_run(run_id)
    assert (run.status, run.paused_for) == (RunStatus.HELD, None)


def test_waits_are_told_once_and_again_when_their_reason_changes(store: Store) -> None:
    run_id = submit(store)
    for wait in (Wait(run_id, "after b"), Wait(run_id, "after b"), Wait(run_id, "b failed", ["b"])):
        store.settle_waits([wait], ())
    told = [e.metadata for e in store.read_events(run_id=run_id) if e.kind == "run.held"]
    assert told == [{"reason": "after b", "lost": []}, {"reason": "b failed", "lost": ["b"]}]


def test_a_run_that_was_given_a_worker_meanwhile_is_not_held(store: Store) -> None:
    writer = start(store)
    store.settle_waits([Wait(writer.run_id, "after b")], ())
    assert store.get_run(writer.run_id).status is RunStatus.QUEUED
    writer.set_status(RunStatus.RUNNING)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (RunStatus.COMPLETED, "kitchen retry"),
        (RunStatus.PAUSED, "kitchen resume"),
        (RunStatus.FAILED, "kitchen resume"),
    ],
)
def test_only_what_waits_can_be_held_moved_and_changed(
    store: Store, status: RunStatus, remedy: str
) -> None:
    other, run_id = submit(store), submit(store)
    bring_to(store, run_id, status)
    calls = {
        "held": lambda: store.hold(run_id, "held"),
        "released": lambda: store.release(run_id, None),
        "moved": lambda: store.move(run_id, "first"),
        "moved to": lambda: store.move(other, "before", run_id),
        "changed": lambda: store.change_waiting(run_id, priority=3),
    }
    for asked, call in calls.items():
        with pytest.raises(
            NotWaiting, match=f"is {status}, and only one that waits can be {asked}; .*{remedy}"
        ):
            call()


def test_a_run_that_a_worker_is_about_to_begin_is_left_to_it(store: Store) -> None:
    writer = start(store)
    with pytest.raises(NotWaiting, match="has a worker already"):
        store.hold(writer.run_id, "held")


def test_a_running_run_can_be_paused_but_not_held(store: Store, writer: RunWriter) -> None:
    writer.set_status(RunStatus.RUNNING)
    with pytest.raises(NotWaiting, match=f"is running.*kitchen pause {writer.run_id}"):
        store.hold(writer.run_id, "held")


def test_why_the_kitchen_paused_a_run_is_kept_until_it_goes_on(store: Store) -> None:
    run_id = paused_by_the_kitchen(store)
    assert store.get_run(run_id).paused_for is PausedFor.WINDOW
    told = store.read_events(run_id=run_id)[-1]
    assert told.metadata == {"reason": "its window has closed", "paused_for": "window"}
    assert store.transition(run_id, RunStatus.QUEUED).paused_for is None


def test_a_user_takes_a_pause_over(store: Store) -> None:
    run_id = paused_by_the_kitchen(store)
    store.take_over(run_id, "go on with: kitchen resume")
    run = store.get_run(run_id)
    assert (run.status, run.paused_for) == (RunStatus.PAUSED, None)
    assert events_of(store, run_id)[-1] == ("run.paused", "go on with: kitchen resume")
    assert order(store) == []


def test_a_run_that_was_asked_something_is_not_set_aside(store: Store, writer: RunWriter) -> None:
    writer.set_status(RunStatus.RUNNING)
    store.set_intent(writer.run_id, Intent.CANCEL)
    assert not store.set_aside(writer.run_id, PausedFor.PREEMPTION)
    assert store.get_run(writer.run_id).intent is Intent.CANCEL


def test_the_end_of_an_attempt_and_what_becomes_of_its_run_are_one_commit(
    store: Store, writer: RunWriter
) -> None:
    writer.set_status(RunStatus.RUNNING)
    impossible = [StatusChange(RunStatus.INTERRUPTED), StatusChange(RunStatus.COMPLETED)]
    with pytest.raises(ValueError, match="interrupted run can't be completed"):
        store.end_attempt(writer.run_id, writer.attempt, -9, impossible)
    assert [attempt.ended_at for attempt in store.attempts(writer.run_id)] == [None]
    assert store.get_run(writer.run_id).status is RunStatus.RUNNING
    again = [
        StatusChange(RunStatus.INTERRUPTED),
        StatusChange(RunStatus.QUEUED, "retry 1 of 3", is_retry=True),
    ]
    store.end_attempt(writer.run_id, writer.attempt, -9, again)
    run = store.get_run(writer.run_id)
    assert (run.status, run.retries, run.reason) == (RunStatus.QUEUED, 1, "retry 1 of 3")


def test_a_run_that_its_worker_never_began_was_asked_nothing(store: Store) -> None:
    writer = start(store)
    store.set_aside(writer.run_id, PausedFor.QUEUE)
    store.end_attempt(writer.run_id, writer.attempt, -15)
    run = store.get_run(writer.run_id)
    assert (run.status, run.intent, run.paused_for) == (RunStatus.QUEUED, None, None)


def test_an_attempt_remembers_its_place(store: Store) -> None:
    run_id = submit(store)
    place = Placement(gpus=("GPU-1", "GPU-2"), memory_bytes=5, shares=True)
    assert store.last_placement(run_id) is None
    store.begin_attempt(run_id, 1, 0.0, "b", "/log", place)
    assert [attempt.placement for attempt in store.open_attempts()] == [place]
    assert store.last_placement(run_id) == place
    again = next_attempt(store, run_id)
    assert (again, store.last_placement(run_id)) == (2, Placement())


def test_pausing_a_group_asks_its_runs_and_no_others(store: Store) -> None:
    mine, other, cancelled = start(store, "mine"), start(store, "other"), start(store, "cancelled")
    for writer in (mine, other, cancelled):
        writer.set_status(RunStatus.RUNNING)
    connection = store.db.connection()
    connection.execute("UPDATE run SET queue_group = 'night' WHERE name != 'other'")
    store.set_intent(cancelled.run_id, Intent.CANCEL)
    assert store.pause_group("night", let_finish=True) == []
    assert store.pause_group("night", let_finish=False) == [mine.run_id]
    run = store.get_run(mine.run_id)
    assert (run.intent, run.paused_for) == (Intent.PAUSE, PausedFor.QUEUE)
    assert [(group.name, group.is_paused) for group in store.groups()] == [("night", True)]
    assert store.pause_group("*", let_finish=False) == [other.run_id]
    store.resume_group("night")
    assert [(group.name, group.is_paused) for group in store.groups()] == [
        ("*", True),
        ("night", False),
    ]


def test_a_group_is_known_by_its_runs_or_its_limit(store: Store) -> None:
    submit(store, queue_group="night")
    store.limit_group("day", 2)
    store.pause_group("day", let_finish=True)
    with pytest.raises(NotFound, match=r"there is no group 'nigth' \(did you mean night\?\)"):
        store.pause_group("nigth", let_finish=True)
    (day,) = store.groups()
    assert (day.most_running, day.is_paused) == (2, True)


def test_a_later_submission_follows_the_earlier_ones_even_where_the_clock_was_set_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    for name, at in (("a", now), ("b", now - 3600), ("c", now - 3600)):
        monkeypatch.setattr(time, "time", lambda at=at: at)
        submit(store, name)
    assert order(store) == ["a", "b", "c"]


def test_a_submission_comes_after_what_was_moved_last(store: Store) -> None:
    for name in "abc":
        run_id = submit(store, name)
    store.move(store.find_run("a").id, "last")
    submit(store, "d")
    assert order(store) == ["b", "c", "a", "d"]
    store.move(run_id, "first")
    assert order(store) == ["c", "b", "a", "d"]


MOVES = st.tuples(
    st.sampled_from(["first", "last", "before", "after", "submit"]),
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(-1, 1),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(MOVES, max_size=40))
def test_moves_are_those_of_a_plain_list(moves: list[tuple[str, int, int, int]]) -> None:
    """The model is a list in order, each with its priority; a run moves beside another and takes its priority."""
    model: list[tuple[str, int]] = []
    with passing_store() as store:
        for number, (what, which, beside, priority) in enumerate([("submit", 0, 0, 0), *moves]):
            if what == "submit":
                submit(store, str(number), priority=priority)
                model.append((str(number), priority))
                model.sort(key=lambda run: -run[1])  # stable: behind its equals
            elif len(model) > 1:
                name, _ = model.pop(which % len(model))
                run_id = store.find_run(name).id
                at = {"first": 0, "last": len(model) - 1}.get(what, beside % len(model))
                other, taken = model[at]
                model.insert(at + (what in ("last", "after")), (name, taken))
                named = store.find_run(other).id if what in ("before", "after") else None
                store.move(run_id, what, named)  # type: ignore[arg-type]
            assert [(row.name, row.priority) for row in store.waiting_rows()] == model


def test_where_no_number_lies_between_two_ranks_all_are_ranked_anew(store: Store) -> None:
    names = "abcdefgh"
    for name in names:
        submit(store, name)
    ids = {name: store.find_run(name).id for name in names}
    expected = list(names)
    for _ in range(10):  # the ranks of a millisecond hold a few halvings
        for name in ("c", "d"):
            store.move(ids[name], "after", ids["a"])
            expected.remove(name)
            expected.insert(1, name)
            assert order(store) == expected
    submit(store, "later")
    assert order(store)[-1] == "later"


def test_ten_thousand_waiting_runs_are_read_in_a_moment(store: Store) -> None:
    config = {f"setting_{i}": "x" * 40 for i in range(60)}
    submit(store, config=config)
    with store.db.write(durable=False) as connection:
        columns = [row["name"] for row in connection.execute("PRAGMA table_info(run)")]
        others = ", ".join(f'"{column}"' for column in columns if column != "id")
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
            f"INSERT INTO run (id, {others}) SELECT 'r' || i, {others} FROM run, n"
        )
    store.waiting_rows()
    began = time.process_time()
    assert len(store.waiting_rows()) == 10_001
    assert store.parents_of_waiting() == []
    assert time.process_time() - began < 0.5  # about 0.05 s; a whole run each would be 1 s and more


def test_a_run_whose_worker_has_gone_is_asked_nothing(store: Store) -> None:
    """Asked all the same, its next worker would be taken to be on its way out for ever."""
    writer = start(store)
    writer.set_status(RunStatus.RUNNING)
    again = [StatusChange(RunStatus.INTERRUPTED), StatusChange(RunStatus.QUEUED)]
    store.end_attempt(writer.run_id, writer.attempt, -9, again)
    assert not store.set_aside(writer.run_id, PausedFor.WINDOW)
    assert not store.set_intent(writer.run_id, Intent.PAUSE)
    run = store.get_run(writer.run_id)
    assert (run.intent, run.paused_for) == (None, None)


def test_a_run_that_has_just_stopped_is_not_asked_to(store: Store, writer: RunWriter) -> None:
    writer.set_status(RunStatus.RUNNING)
    store.set_aside(writer.run_id, PausedFor.WINDOW)
    writer.set_status(RunStatus.PAUSED)
    assert not store.set_intent(writer.run_id, Intent.CANCEL)
    run = store.get_run(writer.run_id)
    assert (run.intent, run.paused_for) == (None, PausedFor.WINDOW)


def test_a_run_stops_as_it_is_asked_to_in_the_end(store: Store, writer: RunWriter) -> None:
    """Cancelled while it was saving itself for a pause."""
    asked = {Intent.CANCEL: RunStatus.CANCELLED, Intent.PAUSE: RunStatus.PAUSED}
    writer.set_status(RunStatus.RUNNING)
    store.set_aside(writer.run_id, PausedFor.WINDOW)
    assert writer.intent() is Intent.PAUSE
    store.set_intent(writer.run_id, Intent.CANCEL)
    writer.stop(lambda run: StatusChange(asked[run.intent or Intent.PAUSE]))
    assert store.get_run(writer.run_id).status is RunStatus.CANCELLED


def test_attempts_that_nobody_saw_end_are_found_again(store: Store) -> None:
    replaced, seen, other_boot = (start(store, name) for name in ("replaced", "seen", "before"))
    store.end_attempt(replaced.run_id, 1, None)
    store.end_attempt(seen.run_id, 1, -9)
    assert [attempt.run_id for attempt in store.ended_unseen("b")] == [replaced.run_id]
    assert store.ended_unseen("another") == []
    assert [attempt.run_id for attempt in store.open_attempts()] == [other_boot.run_id]
