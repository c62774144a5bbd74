"""The plan of the night: what schedules have yet to make stands in it beside what waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from kitchen_core.needs import Needs
from kitchen_core.store import Store
from kitchen_core.store.records import NewQuote
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import Launch, NightPlan, WaitCode
from kitchen_daemon.queueing.states import Machine, QueueState, Waiting
from kitchen_daemon.scheduling import night as planning
from kitchen_daemon.scheduling.hours import window_states
from kitchen_daemon.scheduling.night import plan_the_night, plan_until
from kitchen_daemon.scheduling.triggers import times
from kitchen_daemon.scheduling.words import BadTime
from tests.kitchen_core.store.support import SUBMISSION, fresh_store

VIENNA = ZoneInfo("Europe/Vienna")
HOUR = 3600.0


def at(text: str) -> float:
    """A moment of that night by the clock of Vienna."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=VIENNA).timestamp()


EVENING, MORNING = at("24T20:00"), at("25T09:00")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with fresh_store(tmp_path) as store:
        yield store


def add(store: Store, name: str, when: str, seconds: float | None, **launch: Any) -> str:
    """A schedule that was made at noon."""
    made_at = at("24T12:00")
    return store.add_schedule(
        name,
        "dpo",
        Launch(recipe="dpo", **launch).model_dump(),
        when,
        times(when, VIENNA, made_at).after(made_at),
        timezone="Europe/Vienna",
        quote={"seconds": seconds, "needs": Needs(threads=2).model_dump(), "basis": "formula"},
        made_at=made_at,
    ).id


def plan(store: Store, *waiting: Waiting) -> NightPlan:
    state = QueueState(
        now=EVENING,
        waiting=waiting,
        running=(),
        machine=Machine(slots=2, ram_bytes=2**34),
        windows=window_states(store, EVENING),
    )
    return plan_the_night(store, state, {run.id: "sl_basic" for run in waiting}, MORNING)


def told(made: NightPlan) -> list[tuple[str, list[str]]]:
    """Each run and its stretches, by the clock."""

    def clock(moment: float | None) -> str:
        return "" if moment is None else f"{datetime.fromtimestamp(moment, VIENNA):%H:%M}"

    return [
        (run.name, [f"{clock(each.starts_at)}-{clock(each.ends_at)}" for each in run.stretches])
        for run in made.runs
    ]


def test_what_waits_and_what_schedules_make_share_the_night(store: Store) -> None:
    store.put_window("nights", "22:00-06:00", "Europe/Vienna", "pause")
    add(store, "often", "every 6h", 0.5 * HOUR)
    add(store, "nightly", "nightly 22:00", 10 * HOUR, window="nights", priority=-1)
    made = plan(store, Waiting("a", "now", Needs(threads=2), seconds=2 * HOUR))
    assert told(made) == [
        ("now", ["20:00-22:00"]),
        ("often", ["22:00-22:30"]),  # that of 18:00, which is overdue
        ("nightly", ["22:30-06:00"]),
        ("often", ["06:00-06:30"]),  # that of midnight, which had to wait
        ("often", ["06:30-07:00"]),
    ]
    assert [run.schedule for run in made.runs] == [None, "often", "nightly", "often", "often"]
    assert [run.id for run in made.runs] == ["a", None, None, None, None]
    assert [run.recipe for run in made.runs] == ["sl_basic", "dpo", "dpo", "dpo", "dpo"]
    assert made.runs[2].stretches[0].ends == "window"
    assert made.runs[2].code is WaitCode.WINDOW_CLOSED


def test_a_schedule_is_planned_as_its_last_run_turned_out(store: Store) -> None:
    schedule_id = add(store, "nightly", "nightly 22:00", HOUR)
    earlier = SUBMISSION.model_copy(update={"schedule_id": schedule_id, "scheduled_at": 1.0})
    run = store.create_run(earlier, NewQuote(seconds=HOUR))
    store.db.connection().execute("UPDATE quote SET busy_seconds = 7200")
    assert told(plan(store)) == [("nightly", ["22:00-23:00"])]
    for status in (RunStatus.RUNNING, RunStatus.COMPLETED):
        store.transition(run.id, status)
    assert told(plan(store)) == [("nightly", ["22:00-00:00"])]


def test_what_nobody_can_tell_is_assumed_and_named(store: Store) -> None:
    add(store, "nightly", "nightly 22:00", None)
    made = plan(store)
    assert (made.assumed, made.assumed_s) == (["nightly"], HOUR)
    assert told(made) == [("nightly", ["22:00-23:00"])]


def test_what_is_overdue_comes_at_once_and_what_is_disabled_not_at_all(store: Store) -> None:
    add(store, "late", "19:00", HOUR)
    store.disable_schedule(add(store, "off", "22:00", HOUR))
    assert told(plan(store)) == [("late", ["20:00-21:00"])]


def test_a_plan_of_very_many_firings_ends_early(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_FIRINGS", 3)
    add(store, "often", "every 1h", 60.0)
    made = plan(store)
    assert made.until == at("24T23:00")  # after those of 19:00, which is overdue, 21:00 and 22:00
    assert [run.name for run in made.runs] == ["often"] * 3


def test_a_plan_looks_to_the_morning_and_a_week_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "zone_named", lambda name: VIENNA)
    assert plan_until(None, EVENING) == MORNING
    assert plan_until("in 7d", EVENING) == EVENING + 7 * 86400
    with pytest.raises(BadTime, match="7 days ahead at most"):
        plan_until("in 8d", EVENING)
