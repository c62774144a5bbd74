"""`kitchen schedule`: what it asks of the daemon, and what it shows."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from kitchen_core.home import Home
from kitchen_daemon.models import (
    Launch,
    NightPlan,
    PlannedRun,
    PlannedStretch,
    ScheduleInfo,
    WaitCode,
    WindowInfo,
)
from kitchen_tui.cli.views.night import bars, hours
from tests.kitchen_tui.conftest import Command
from tests.kitchen_tui.support import Refusal, StubDaemon, run_info

EVENING = datetime(2026, 11, 24, 20, tzinfo=UTC).timestamp()
HOUR = 3600.0


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch, home: Home) -> Iterator[None]:
    """The clock here is that of Greenwich, and the terminal is wide."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLUMNS", "100")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def schedule(**changes: Any) -> ScheduleInfo:
    facts: dict[str, Any] = {
        "id": "1qqw00000001",
        "name": "nightly",
        "recipe": "sl_basic",
        "launch": Launch(recipe="sl_basic", overrides={"max_steps": "50"}, window="nights"),
        "when": "nightly 22:00",
        "timezone": "Europe/Vienna",
        "missed": "once",
        "enabled": True,
        "next_at": EVENING + 1000 * 86400,
        "last_at": None,
        "last_run": None,
        "last_error": None,
        "created_at": EVENING,
    }
    return ScheduleInfo(**(facts | changes))


def window(**changes: Any) -> WindowInfo:
    facts: dict[str, Any] = {
        "name": "nights",
        "hours": "22:00-06:00",
        "timezone": "UTC",
        "at_close": "pause",
        "is_open": False,
        "changes_at": None,
        "runs": ["1qnc00000001"],
    }
    return WindowInfo(**(facts | changes))


def stretch(begin_h: float, end_h: float | None, ends: str | None = "done") -> PlannedStretch:
    """A stretch, in hours since the evening."""
    return PlannedStretch(
        starts_at=EVENING + begin_h * HOUR,
        ends_at=None if end_h is None else EVENING + end_h * HOUR,
        ends=ends,  # type: ignore[arg-type]
        device="1 CPU slot",
    )


def planned(name: str, *stretches: PlannedStretch, **changes: Any) -> PlannedRun:
    facts: dict[str, Any] = {
        "id": None,
        "name": name,
        "recipe": "r",
        "schedule": "s",
        "priority": 0,
    }
    facts["stretches"] = list(stretches)
    return PlannedRun(**(facts | changes))


def night(*runs: PlannedRun, until_h: float = 10.0, **changes: Any) -> NightPlan:
    facts: dict[str, Any] = {
        "made_at": EVENING,
        "until": EVENING + until_h * HOUR,
        "assumed_s": HOUR,
    }
    facts["runs"] = list(runs)
    return NightPlan(**(facts | changes))


def test_a_schedule_is_asked_for_with_the_words_of_a_run(
    command: Command, stub: StubDaemon
) -> None:
    stub.answers["POST /schedules"] = schedule()
    words = ["nightly", "nightly 22:00", "sl_basic", "max_steps=50", "--window", "nights"]
    options = ["--priority", "3", "--timezone", "Europe/Vienna", "--missed", "skip"]
    said = command("schedule", "add", *words, *options)
    assert said.code == 0, said.err
    assert said.out.startswith("nightly  sl_basic  next 20")
    (body,) = stub.bodies("POST /schedules")
    assert {key: body[key] for key in ("name", "when", "timezone", "missed")} == {
        "name": "nightly",
        "when": "nightly 22:00",
        "timezone": "Europe/Vienna",
        "missed": "skip",
    }
    launch = body["launch"]
    assert (launch["recipe"], launch["overrides"]) == ("sl_basic", {"max_steps": "50"})
    assert (launch["window"], launch["priority"], launch["at"]) == ("nights", 3, None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a/b", "22:00", "sl_basic"], "'a/b' is no name"),
        (["n", "22:00", "sl_basic", "--missed", "never"], "missed: given 'never', expected"),
        (["n", "22:00", "sl_basic", "max_steps"], "'max_steps' is not of the form key=value"),
        (["n", "22:00", "sl_basic", "--at", "23:00"], "no such option: --at"),
    ],
)
def test_words_that_are_wrong_are_told_in_one_line(
    command: Command, stub: StubDaemon, words: list[str], message: str
) -> None:
    said = command("schedule", "add", *words)
    assert said.code == 2
    assert message in said.err.splitlines()[0]
    assert stub.bodies("POST /schedules") == []


def test_what_the_daemon_refuses_is_passed_on(command: Command, stub: StubDaemon) -> None:
    stub.answers["POST /schedules"] = Refusal(422, "'soon' is no time; write it as 22:00")
    said = command("schedule", "add", "n", "soon", "sl_basic")
    assert (said.code, said.err) == (2, "error: 'soon' is no time; write it as 22:00\n")


def test_schedules_are_listed_with_what_went_wrong(command: Command, stub: StubDaemon) -> None:
    stub.answers["GET /schedules"] = [
        schedule(),
        schedule(name="off", enabled=False, last_at=EVENING, last_error="unknown recipe"),
        schedule(name="once", when="22:00", next_at=None),
    ]
    said = command("schedule", "list")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[1][:5] == ["nightly", "nightly", "22:00", "Europe/Vienna", "sl_basic"]
    assert lines[2][-1] == "disabled"
    assert lines[3][-1] == "done"
    assert " ".join(lines[4]) == "off made no run: unknown recipe"
    assert json.loads(command("schedule", "list", "--json").out)[2]["next_at"] is None


def test_a_schedule_is_shown_whole(command: Command, stub: StubDaemon) -> None:
    stub.answers["GET /schedules/nightly"] = schedule(last_at=EVENING, last_run="1qnc00000001")
    said = command("schedule", "show", "nightly")
    facts = dict(line.split(None, 1) for line in said.out.splitlines()[1:] if " " in line)
    assert facts["when"].strip() == "nightly 22:00  Europe/Vienna"
    assert facts["window"].strip() == "nights"
    assert facts["max_steps"].strip() == "50"
    assert "1qnc00000001" in said.out


def test_a_schedule_is_enabled_disabled_fired_and_removed(
    command: Command, stub: StubDaemon
) -> None:
    stub.answers |= {
        "POST /schedules/nightly/disable": schedule(enabled=False),
        "POST /schedules/nightly/enable": schedule(),
        "POST /schedules/nightly/fire": run_info(name="nightly"),
        "DELETE /schedules/nightly": schedule(),
    }
    assert command("schedule", "disable", "nightly").out == "nightly  disabled\n"
    assert command("schedule", "enable", "nightly").out.startswith("nightly  next ")
    assert command("schedule", "fire", "nightly").out.endswith("  completed  nightly\n")
    assert command("schedule", "remove", "nightly").out == "nightly  removed\n"


def test_windows_are_added_listed_and_removed(command: Command, stub: StubDaemon) -> None:
    stub.answers |= {
        "PUT /windows": window(is_open=True),
        "GET /windows": [window(changes_at=EVENING + 1000 * 86400)],
        "DELETE /windows/nights": window(),
    }
    words = ["nights", "22:00-06:00", "--at-close", "finish", "--timezone", "UTC"]
    assert command("schedule", "window", "add", *words).out == "nights  open, always\n"
    assert stub.bodies("PUT /windows") == [
        {"name": "nights", "hours": "22:00-06:00", "timezone": "UTC", "at_close": "finish"}
    ]
    assert "closed, opens 20" in command("schedule", "window", "list").out
    assert command("schedule", "window", "remove", "nights", "--force").out == "nights  removed\n"
    assert stub.asked[-1][1] == {"force": ["true"]}


def test_nothing_to_list_says_how_to_begin(command: Command, stub: StubDaemon) -> None:
    stub.answers |= {"GET /schedules": [], "GET /windows": [], "GET /night": night()}
    assert "kitchen schedule add" in command("schedule", "list").err
    assert "kitchen schedule window add" in command("schedule", "window", "list").err
    assert "kitchen run" in command("schedule", "plan").err


def test_the_plan_tells_when_each_run_begins_and_ends(command: Command, stub: StubDaemon) -> None:
    stub.answers["GET /night"] = night(
        planned("first", stretch(0, 2)),
        planned("long", stretch(2, 3, "window"), stretch(5, 8)),
        planned("quick", stretch(4, 4.01)),
        planned("endless", stretch(6, None, None)),
        planned("never", code=WaitCode.TOO_LARGE, reason="needs 80 GB"),
        assumed=["endless", "endless"],
    )
    said = command("schedule", "plan", "--until", "06:00")
    assert stub.asked[-1][1] == {"until": ["06:00"]}
    rows = [line.split("█")[0].split("▒")[0].split() for line in said.out.splitlines()]
    assert rows[2] == ["first", "Tue", "20:00", "22:00"]
    assert rows[3] == ["long", "Tue", "22:00", "Wed", "04:00"]
    assert rows[4] == ["quick", "Wed", "00:00", "+", "36s"]
    assert rows[5] == ["endless", "Wed", "02:00"]
    assert "never  needs 80 GB" in said.out
    assert "taken for 1h 00m: endless " in f"{' '.join(said.out.split())} "
    assert all(len(line) <= 100 for line in said.out.splitlines())


def test_bars_stand_where_the_hours_are() -> None:
    plan = night()
    assert hours(plan, 40) == "20:00   22:00   00:00   02:00   04:00   "
    assert bars(planned("a", stretch(2, 4)), plan, 40).plain == " " * 8 + "█" * 8 + " " * 24
    twice = planned("b", stretch(0, 1, "window"), stretch(9, 10))
    assert bars(twice, plan, 40).plain == "████" + " " * 32 + "████"
    assert bars(planned("c", stretch(5, 5.001)), plan, 40).plain == " " * 20 + "█" + " " * 19
    assert bars(planned("d", stretch(9, None, None)), plan, 40).plain == " " * 36 + "▒▒▒▒"


def test_hours_are_those_of_the_clock_here() -> None:
    plan = night(made_at=EVENING + 0.25 * HOUR, until_h=10.25)
    assert hours(plan, 40) == "       22:00   00:00   02:00   04:00    "


def test_a_plan_of_minutes_has_marks_too() -> None:
    plan = night(made_at=EVENING + 60, until_h=21 / 60)
    assert hours(plan, 40) == "        20:05     20:10     20:15       "
