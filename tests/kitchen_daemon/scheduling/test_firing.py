"""The loop that fires, on a clock that jumps: days pass in a moment, and it is set, put back, and stands still."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.store import StoreBusy
from kitchen_core.store.errors import Ambiguous
from kitchen_core.store.records import RevisionRecord
from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.launching.choosing import BrokenRecipe
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submission, Submissions
from kitchen_daemon.models import Launch, NewSchedule
from kitchen_daemon.scheduling.firing import Firing
from kitchen_daemon.scheduling.schedules import add_schedule, enable, schedule_info
from kitchen_daemon.scheduling.words import BadTime, Passed
from tests.clock import Clock
from tests.kitchen_core.store.support import fresh_store
from tests.kitchen_daemon.scheduling.nights import HOUR, Night, Quick, at


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    home = Home(tmp_path / "home")
    home.make()
    with fresh_store(home.root) as store:
        yield Night(store, Quick(home, store), at("2026-11-24T12:00"))


def test_a_schedule_fires_at_its_times_and_the_queue_is_told(night: Night) -> None:
    night.schedule("nightly 22:00")
    night.run_until("2026-11-27T12:00")
    assert night.runs == ["24 22:00", "25 22:00", "26 22:00"]
    assert night.woken == [at(f"2026-11-{day}T22:00") for day in (24, 25, 26)]
    assert [run.created_at for run in reversed(night.store.list_runs())] == night.woken


def test_a_one_shot_fires_once_and_stays_as_done(night: Night) -> None:
    night.schedule("22:00")
    night.run_until("2026-11-27T12:00")
    assert night.runs == ["24 22:00"]
    (done,) = night.store.list_schedules()
    info = schedule_info(night.store, done)
    assert (info.next_at, info.last_at) == (None, at("2026-11-24T22:00"))
    assert info.last_run == night.store.list_runs()[0].id
    with pytest.raises(Passed, match="the time of schedule 'nightly', 22:00, is over"):
        enable(night.store, done)


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("once", ["26 22:00", "27 22:00"]),
        ("all", ["24 22:00", "25 22:00", "26 22:00", "27 22:00"]),
        ("skip", ["27 22:00"]),
    ],
)
def test_what_was_missed_while_no_daemon_ran_follows_the_policy(
    night: Night, missed: str, expected: list[str]
) -> None:
    night.schedule("nightly 22:00", missed)
    night.now = at("2026-11-27T12:00")
    night.run_until("2026-11-28T12:00")
    assert night.runs == expected


@pytest.mark.parametrize("missed", ["once", "all", "skip"])
def test_a_minute_late_is_not_missed(night: Night, missed: str) -> None:
    night.schedule("nightly 22:00", missed)
    night.now = at("2026-11-24T22:01")
    night.run_until("2026-11-25T12:00")
    assert night.runs == ["24 22:00"]


def test_a_one_shot_that_was_missed_and_skipped_is_done_and_says_so(night: Night) -> None:
    night.schedule("22:00", "skip")
    night.now = at("2026-11-25T12:00")
    night.run_until("2026-11-25T13:00")
    assert night.runs == []
    (done,) = night.store.list_schedules()
    assert (done.next_at, done.last_at) == (None, at("2026-11-24T22:00"))
    assert done.last_error == "missed: no daemon ran then, and missed firings are skipped"
    (event,) = night.store.read_events(kinds=[EventKind.SCHEDULE_FIRED])
    assert event.metadata["late_s"] == 14 * HOUR


def test_what_comes_due_while_others_are_fired_was_not_missed(night: Night) -> None:
    """The first takes two minutes to prepare, so the second is found late."""
    night.schedule("22:00", "skip", "first")
    night.schedule("22:00", "skip", "second")
    later = night.schedule("every 10h", "skip", "third")
    night.store.reschedule(night.store.find_schedule(later), at("2026-11-24T22:01"))
    slow = night.submissions.prepare

    def prepare(launch: Launch) -> Submission:
        passed[0] += 120.0
        return slow(launch)

    passed = [0.0]
    night.submissions.prepare = prepare
    shown = night._run

    async def run(clock: Clock, end: float, jumps: Sequence[tuple[float, float]]) -> None:
        class Slow(list[tuple[float, float]]):
            def __iter__(self) -> Iterator[tuple[float, float]]:
                return iter([(0.0, passed[0])])

        await shown(clock, end, Slow())

    night._run = run
    night.run_until("2026-11-24T22:30")
    assert night.runs == ["24 22:00", "24 22:00", "24 22:01"]


def test_a_clock_put_back_fires_nothing_twice(night: Night) -> None:
    night.schedule("nightly 22:00")
    night.run_until("2026-11-26T12:00", jumps=[(10.5 * HOUR, -HOUR)])  # 22:30 is 21:30 again
    assert night.runs == ["24 22:00", "25 22:00"]


def test_a_clock_that_was_years_ahead_loses_no_night_after_it_is_put_right(night: Night) -> None:
    night.schedule("nightly 22:00")
    years = 4 * 365 * 86400.0
    night.run_until("2026-11-26T12:00", jumps=[(HOUR, years), (2 * HOUR, -years)])
    assert night.woken[0] > at("2030-01-01T00:00")  # for a wrong time, which nobody could know
    assert [run.scheduled_at for run in night.store.list_runs()[1:]] == [
        at("2026-11-25T22:00"),
        at("2026-11-24T22:00"),
    ]


def test_a_clock_set_forward_over_a_time_is_late_for_it(night: Night) -> None:
    night.schedule("nightly 22:00")
    night.run_until("2026-11-26T12:00", jumps=[(9 * HOUR, 3 * HOUR)])  # 21:00 is 24:00
    assert night.runs == ["24 22:00", "25 22:00"]
    made = night.store.list_runs()[-1].created_at
    assert 0 <= made - at("2026-11-25T00:00") <= 60


def test_an_enabled_schedule_has_missed_nothing(night: Night) -> None:
    schedule_id = night.schedule("nightly 22:00", "all")
    night.store.disable_schedule(schedule_id)
    night.run_until("2026-11-26T12:00")
    assert night.runs == []
    before, time.time = time.time, lambda: night.now
    try:
        enable(night.store, night.store.find_schedule(schedule_id))
    finally:
        time.time = before
    night.run_until("2026-11-27T12:00")
    assert night.runs == ["26 22:00"]


def test_a_firing_that_can_make_no_run_is_told_and_the_next_one_stands(night: Night) -> None:
    night.schedule("nightly 22:00")
    night.submissions.broken = [LookupError("there is no such thing")]
    night.run_until("2026-11-25T12:00")
    (failed,) = night.store.list_schedules()
    assert (failed.last_error, failed.last_at) == ("there is no such thing", at("2026-11-24T22:00"))
    night.run_until("2026-11-26T12:00")
    assert night.runs == ["25 22:00"]
    assert night.store.list_schedules()[0].last_error is None


def test_a_store_that_is_busy_is_tried_again(night: Night) -> None:
    night.schedule("nightly 22:00", "skip")
    night.submissions.broken = [StoreBusy(Path("kitchen.db"), 2.0)]
    night.run_until("2026-11-25T12:00")
    assert night.runs == ["24 22:00"]
    assert night.woken == [at("2026-11-24T22:00") + 5.0]


def test_one_that_can_not_fire_keeps_no_other_from_firing(night: Night) -> None:
    """What it names has become ambiguous since; another has met a store that is busy."""
    for name in ("ambiguous", "busy", "good"):
        night.schedule("22:00", name=name)
    night.submissions.broken = [
        Ambiguous("run", "1x", ["1x23", "1x45"]),
        StoreBusy(Path("kitchen.db"), 2.0),
    ]
    night.run_until("2026-11-25T12:00")
    assert [run.name for run in night.store.list_runs()] == ["busy", "good"]
    assert night.woken == [at("2026-11-24T22:00"), at("2026-11-24T22:00") + 5.0]
    found = night.store.find_schedule("ambiguous")
    assert (found.next_at, found.last_error) == (
        None,
        "'1x' fits more than one run: 1x23, 1x45",
    )


def test_after_months_the_last_hundred_are_made_up_for(night: Night) -> None:
    night.schedule("every 1h", "all")
    night.now = at("2027-03-24T12:30")
    night.run_until("2027-03-24T12:45")
    made = [run.scheduled_at for run in reversed(night.store.list_runs())]
    assert made == [at("2027-03-24T12:00") - HOUR * ago for ago in range(99, -1, -1)]
    assert night.store.list_schedules()[0].next_at == at("2027-03-24T13:00")


GOOD = RevisionRecord(sha256="a" * 64, recipe="sl_basic", source_path="/r.py", created_at=1.0)


def test_a_broken_recipe_runs_by_its_last_good_revision(night: Night) -> None:
    night.schedule("nightly 22:00")
    night.submissions.broken = [BrokenRecipe("line 3: what is this", GOOD)]
    night.run_until("2026-11-25T12:00")
    assert night.runs == ["24 22:00"]
    assert night.submissions.revisions == [None, GOOD.sha256]
    (event,) = night.store.read_events(kinds=[EventKind.SCHEDULE_FIRED])
    assert event.metadata["revision"] == GOOD.sha256
    assert event.metadata["broken"] == "line 3: what is this"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ([RecipeError("it never loaded")], "it never loaded"),
        ([BrokenRecipe("line 3", GOOD), ConfigError("max_steps is new")], "max_steps is new"),
    ],
)
def test_a_recipe_that_no_revision_helps_makes_no_run(
    night: Night, broken: list[Exception], said: str
) -> None:
    night.schedule("nightly 22:00")
    night.submissions.broken = broken
    night.run_until("2026-11-25T12:00")
    assert night.store.list_schedules()[0].last_error == said
    assert night.runs == []


def test_a_schedule_fires_at_once_beside_its_times(night: Night) -> None:
    schedule_id = night.schedule("nightly 22:00")
    home = night.submissions.home
    run = Firing(home, night.store, night.submissions, lambda: None).fire_now(
        night.store.find_schedule(schedule_id)
    )
    assert (run.schedule_id, run.name) == (schedule_id, "nightly")
    (same,) = night.store.list_schedules()
    assert same.next_at == at("2026-11-24T22:00")
    night.run_until("2026-11-25T12:00")
    assert "24 22:00" in night.runs
    assert len(night.runs) == 2


def test_a_schedule_is_checked_when_it_is_added(night: Night) -> None:
    real = Submissions(night.submissions.home, night.store, Shelf(night.submissions.home))

    def add(**changes: object) -> str:
        launch = {"recipe": "sl_basic", "window": None, "at": None} | {
            key: changes.pop(key) for key in ("recipe", "window", "at") if key in changes
        }
        facts = {"name": "n", "when": "in 2h", "launch": launch} | changes
        return add_schedule(night.store, real, NewSchedule.model_validate(facts)).timezone

    with pytest.raises(RecipeError, match="sl_basik"):
        add(recipe="sl_basik")
    with pytest.raises(BadTime, match="leave out 'at'"):
        add(at="22:00")
    with pytest.raises(LookupError, match="no window 'nights'"):
        add(window="nights")
    with pytest.raises(BadTime, match="no time zone"):
        add(timezone="Middle/Earth")
    assert night.store.list_schedules() == []
    assert add(timezone="Europe/Vienna") == "Europe/Vienna"
    (kept,) = night.store.list_schedules()
    assert (kept.recipe, kept.trigger) == ("sl_basic", "in 2h")
    assert kept.next_at == pytest.approx(kept.created_at + 2 * HOUR, abs=1e-3)
