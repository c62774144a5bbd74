"""`kitchen schedule`: what it asks of the daemon, and what it shows."""

from __future__ import annotations

import json
import re
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
from kitchen_tui.cli.views.axis import Axis
from kitchen_tui.cli.views.night import bars, night_page
from kitchen_tui.cli.views.schedules import clocked, schedules_list, windows_table
from tests.kitchen_tui.conftest import Command
from tests.kitchen_tui.queued import drawn
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
        schedule(name="once", when="in 2h", next_at=None, last_at=EVENING),
    ]
    said = command("schedule", "list")
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[1][:5] == ["nightly", "nightly", "22:00", "Europe/Vienna", "sl_basic"]
    assert lines[2][-1] == "disabled"
    assert "done" in lines[3]
    assert " ".join(lines[4]) == "off made no run: unknown recipe"
    assert json.loads(command("schedule", "list", "--json").out)[2]["next_at"] is None


def test_a_zone_is_told_where_its_clock_shows_another_time() -> None:
    assert clocked("22:00", "Etc/UTC") == "22:00"
    assert clocked("22:00", "Africa/Abidjan") == "22:00"  # as in Greenwich, all the year
    assert clocked("22:00", "Europe/London") == "22:00  Europe/London"  # but in summer


@pytest.mark.parametrize("words", [["schedule"], ["schedule", "window"]])
def test_what_there_is_is_listed_without_a_word_more(
    command: Command, stub: StubDaemon, words: list[str]
) -> None:
    stub.answers |= {"GET /schedules": [schedule()], "GET /windows": [window()]}
    assert command(*words).out == command(*words, "list").out
    assert len(json.loads(command(*words, "--json").out)) == 1
    assert command(*words, "remove").code == 2


@pytest.mark.parametrize("width", [60, 80, 120])
def test_hours_that_are_many_go_on_below(width: int) -> None:
    work = window(name="work", hours="mon-fri 20:00-07:30; sat,sun 00:00-24:00", at_close="finish")
    lines = drawn(windows_table([work, window(changes_at=EVENING + 1000 * 86400)], width), width)
    assert max(map(len, lines)) <= width
    more = ["at", "closing", "runs"] if width >= 80 else []
    assert lines[0].split() == ["window", "hours", "now", *more]
    nightly = schedule(name="report", when="mon-fri 06:30", next_at=EVENING + 1000 * 86400)
    lines += drawn(schedules_list([nightly], width), width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)


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
        planned("goes-on", stretch(-1, 1), id="1qnc00000001"),
        planned("first", stretch(0, 2)),
        planned("long", stretch(2, 3, "window"), stretch(5, 8)),
        planned("quick", stretch(4, 4.01)),
        planned("endless", stretch(6, 7, None)),
        planned("late", stretch(9, None, None)),
        planned("set-aside", stretch(9, 9.5, "window")),
        planned("never", code=WaitCode.TOO_LARGE, reason="needs 80 GB"),
        assumed=["endless", "endless"],
    )
    said = command("schedule", "plan", "--until", "06:00")
    assert stub.asked[-1][1] == {"until": ["06:00"]}
    lines = said.out.splitlines()
    assert lines[0] == "Until Wed 06:00, by the quotes: 7 runs, 2 of which end later"
    rows = [re.split("[█▒┊]", line)[0].split() for line in lines]
    assert rows[2:9] == [
        ["goes-on", "runs", "21:00"],
        ["first", "20:00", "22:00"],
        ["long", "22:00", "Wed", "04:00"],
        ["quick", "Wed", "00:00", "+", "36s"],
        ["endless", "Wed", "02:00", "03:00"],
        ["late", "Wed", "05:00", "later"],
        ["set-aside", "Wed", "05:00", "later"],
    ]
    assert ["▒" in line for line in lines[2:9]] == [False] * 4 + [True] + [False] * 2
    assert "never      needs 80 GB" in said.out
    assert "taken for 1h 00m: endless " in f"{' '.join(said.out.split())} "
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 160])
def test_the_plan_keeps_to_the_width_that_there_is(width: int) -> None:
    runs = [planned("a-rather-long-name-of-a-run", stretch(at, at + 1)) for at in range(9)]
    runs.append(planned("its", stretch(9, 9.5), id="1qnc00000001"))
    lines = drawn(night_page(night(*runs), width), width)
    assert max(map(len, lines)) <= width
    assert any("█" in line for line in lines) is (width >= 80)
    assert any("1qnc00000001" in line for line in lines) is (width >= 110)


def test_a_plan_that_is_over_soon_is_drawn_to_its_end() -> None:
    plan = night(planned("a", stretch(0, 0.5)), planned("b", stretch(0.5, 1)), until_h=13)
    lines = drawn(night_page(plan, 100), 100)
    assert lines[0] == "Until Wed 09:00, by the quotes: 2 runs, the last ends at 21:00"
    assert "20:30" in lines[1]
    assert "22:00" not in lines[1]
    assert lines[2].count("█") == pytest.approx(lines[3].count("█"), abs=1)


def test_bars_stand_where_the_hours_are() -> None:
    plan = night(assumed=["d"])
    axis = Axis(plan.made_at, plan.until, 40)
    assert axis.header() == "20:00   22:00   Wed     02:00   04:00   "

    def cells(name: str, *stretches: PlannedStretch) -> str:
        return bars(planned(name, *stretches), plan, axis).plain.replace("┊", " ")

    assert cells("a", stretch(2, 4)) == " " * 8 + "█" * 8 + " " * 24
    assert cells("b", stretch(0, 1, "window"), stretch(9, 10)) == "████" + " " * 32 + "████"
    assert cells("c", stretch(5, 5.001)) == " " * 20 + "█" + " " * 19
    assert cells("d", stretch(9, None, None)) == " " * 36 + "▒▒▒▒"


def test_hours_are_those_of_the_clock_here(monkeypatch: pytest.MonkeyPatch) -> None:
    begins_at = EVENING + 0.25 * HOUR
    assert Axis(begins_at, EVENING + 10.25 * HOUR, 40).header() == (
        "       22:00   Wed     02:00   04:00    "
    )
    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    summer_begins = datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp()  # 23:00; 02:00 is left out
    assert Axis(summer_begins, summer_begins + 10 * HOUR, 40).header() == (
        "    Sun         04:00   06:00   08:00   "
    )


def test_minutes_stand_above_what_is_over_in_minutes() -> None:
    header = Axis(EVENING + 90, EVENING + 690, 40).header()  # 4 columns a minute
    assert header == "  20:02   20:04   20:06   20:08   20:10 "
