from __future__ import annotations

import multiprocessing
import random
import signal
from pathlib import Path

import pytest

from kitchen_core.store import NameTaken, NotFound, StillWanted, Store
from kitchen_core.store.records import ScheduleRecord
from kitchen_core.telemetry.schema import EventKind, RunStatus
from tests.kitchen_core.store.support import SUBMISSION, fresh_store

FORK = multiprocessing.get_context("fork")
FIRINGS = 300


def schedule(store: Store, name: str = "nightly", next_at: float | None = 1.0) -> ScheduleRecord:
    return store.add_schedule(name, "dpo", {"seed": 1}, "cron 0 2 * * *", next_at)


def test_a_schedule_comes_back_as_it_was_kept(store: Store) -> None:
    kept = store.add_schedule(
        "nightly",
        "dpo",
        {"recipe": "dpo"},
        "nightly 22:00",
        5.0,
        timezone="Europe/Vienna",
        missed="all",
        quote={"seconds": 3.0},
        made_at=2.0,
    )
    assert store.find_schedule("nightly") == store.find_schedule(kept.id) == kept
    assert (kept.created_at, kept.quote, kept.missed) == (2.0, {"seconds": 3.0}, "all")


def test_schedules_come_due_in_the_order_of_their_times(store: Store) -> None:
    later, sooner = schedule(store, "later", 100.0), schedule(store, "sooner", 50.0)
    assert store.list_schedules() == [sooner, later]
    assert store.due_schedules(49.0) == []
    assert store.due_schedules(100.0) == [sooner, later]
    assert store.next_due() == 50.0
    store.disable_schedule(sooner.id)
    assert store.due_schedules(100.0) == [later]
    assert store.next_due() == 100.0
    store.enable_schedule(sooner.id, 70.0)
    assert store.next_due() == 70.0


def test_two_schedules_can_t_have_one_name(store: Store) -> None:
    schedule(store)
    with pytest.raises(NameTaken, match="there is a schedule 'nightly' already"):
        schedule(store)


def test_a_schedule_that_is_not_there_is_named(store: Store) -> None:
    kept = schedule(store)
    with pytest.raises(NotFound, match=r"no schedule 'nihgtly' \(did you mean nightly\?\)"):
        store.find_schedule("nihgtly")
    store.remove_schedule(kept.id)
    for call in (
        lambda: store.remove_schedule(kept.id),
        lambda: store.enable_schedule(kept.id, 1.0),
        lambda: store.disable_schedule(kept.id),
    ):
        with pytest.raises(NotFound, match="no schedule"):
            call()


def test_a_firing_takes_its_run_and_tells_of_it(store: Store) -> None:
    due = schedule(store)
    run = store.fire_schedule(due, 1.0, 2.0, SUBMISSION, told={"revision": "good"})
    assert run is not None
    assert (run.schedule_id, run.scheduled_at, run.status) == (due.id, 1.0, RunStatus.QUEUED)
    after = store.find_schedule("nightly")
    assert (after.last_at, after.next_at, after.last_error) == (1.0, 2.0, None)
    assert store.last_run_of(after) == run.id
    (event,) = store.read_events(kinds=[EventKind.SCHEDULE_FIRED])
    assert event.run_id is None
    assert event.metadata == {
        "schedule": due.id,
        "name": "nightly",
        "scheduled_at": 1.0,
        "next_at": 2.0,
        "run": run.id,
        "error": None,
        "revision": "good",
    }


def test_a_firing_that_makes_no_run_is_kept_with_its_error(store: Store) -> None:
    assert store.fire_schedule(schedule(store), 1.0, 2.0, None, error="no such recipe") is None
    after = store.find_schedule("nightly")
    assert (after.last_at, after.next_at, after.last_error) == (1.0, 2.0, "no such recipe")
    assert store.last_run_of(after) is None
    (event,) = store.read_events(kinds=[EventKind.SCHEDULE_FIRED])
    assert (event.metadata["run"], event.metadata["error"]) == (None, "no such recipe")
    store.fire_schedule(after, 2.0, 3.0, SUBMISSION)
    assert store.find_schedule("nightly").last_error is None


@pytest.mark.parametrize("change", ["fired", "disabled", "removed", "rescheduled"])
def test_a_firing_that_comes_second_does_nothing(store: Store, change: str) -> None:
    due = schedule(store)
    match change:
        case "fired":
            store.fire_schedule(due, 1.0, 2.0, SUBMISSION)
        case "disabled":
            store.disable_schedule(due.id)
        case "removed":
            store.remove_schedule(due.id)
        case _:
            assert store.reschedule(due, 9.0)
    before = (store.list_schedules(), store.list_runs(), store.read_events())
    assert store.fire_schedule(due, 1.0, 2.0, SUBMISSION) is None
    assert (store.list_schedules(), store.list_runs(), store.read_events()) == before
    if change != "disabled":
        assert not store.reschedule(due, 4.0)


def test_a_time_that_has_its_run_gets_no_other(store: Store) -> None:
    due = schedule(store)
    store.fire_schedule(due, 1.0, 1.0, SUBMISSION)
    assert store.fire_schedule(store.find_schedule("nightly"), 1.0, 2.0, SUBMISSION) is None
    assert store.find_schedule("nightly").next_at == 2.0
    assert len(store.list_runs()) == 1
    assert store.has_fired(due.id, 1.0)
    assert not store.has_fired(due.id, 2.0)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_time_fires_once_though_who_fires_is_killed(tmp_path: Path, processes: int) -> None:
    home = tmp_path / "home"
    rng = random.Random(processes)
    kills = 0
    with fresh_store(home) as store:
        due = schedule(store)
    while True:
        firing = [
            FORK.Process(target=_fire_all, args=(home, rng.uniform(0.002, 0.02)))
            for _ in range(processes)
        ]
        for process in firing:
            process.start()
        for process in firing:
            process.join()
        ends = [process.exitcode for process in firing]
        assert set(ends) <= {0, -signal.SIGPROF}
        kills += ends.count(-signal.SIGPROF)
        if not any(ends):
            break
    with Store.open(home, migrate=False) as store:
        runs = store.list_runs()
        told = store.read_events(kinds=[EventKind.SCHEDULE_FIRED])
        assert sorted(run.scheduled_at or 0 for run in runs) == list(range(1, FIRINGS + 1))
        assert [event.metadata["scheduled_at"] for event in told] == list(range(1, FIRINGS + 1))
        assert {event.metadata["run"] for event in told} == {run.id for run in runs}
        assert store.find_schedule(due.id).next_at is None
    assert kills > 1


def _fire_all(home: Path, cpu_s: float) -> None:
    """Fire what is due, and be killed after so much work, however long it takes on a busy machine."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with Store.open(home, migrate=False) as store:
        signal.setitimer(signal.ITIMER_PROF, cpu_s)
        while due := store.due_schedules(FIRINGS):
            for each in due:
                assert each.next_at is not None
                next_at = each.next_at + 1 if each.next_at < FIRINGS else None
                store.fire_schedule(each, each.next_at, next_at, SUBMISSION)
        signal.setitimer(signal.ITIMER_PROF, 0)


def test_a_window_is_kept_and_replaced(store: Store) -> None:
    first = store.put_window("nights", "22:00-06:00", "UTC", "pause")
    assert store.list_windows() == [first]
    second = store.put_window("nights", "21:00-06:00", "Europe/Vienna", "finish")
    assert store.list_windows() == [second]
    assert (second.hours, second.timezone, second.at_close) == (
        "21:00-06:00",
        "Europe/Vienna",
        "finish",
    )
    assert second.created_at == first.created_at


def test_a_window_goes_when_nothing_names_it(store: Store) -> None:
    store.put_window("nights", "22:00-06:00", "UTC", "pause")
    run = store.create_run(SUBMISSION.model_copy(update={"window": "nights"}))
    store.add_schedule("nightly", "dpo", {"window": "nights"}, "22:00", 1.0)
    assert store.runs_of_window("nights") == [run.id]
    with pytest.raises(StillWanted, match=f"wanted by run {run.id}, schedule nightly") as error:
        store.remove_window("nights")
    assert error.value.by == [f"run {run.id}", "schedule nightly"]
    store.transition(run.id, RunStatus.CANCELLED)
    assert store.runs_of_window("nights") == []
    store.remove_window("nights", force=True)
    with pytest.raises(NotFound, match="no window 'nights'"):
        store.remove_window("nights")
