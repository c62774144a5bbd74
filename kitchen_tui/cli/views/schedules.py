"""Schedules and windows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from kitchen_daemon.models import ScheduleInfo, WindowInfo
from kitchen_tui.cli.views.style import facts, heading, plain_table, shown
from kitchen_tui.format import NOTHING, ahead, date, moment, one_line

_MISSED = {
    "once": "one run for all that were missed",
    "all": "a run for each that was missed, of the last 100",
    "skip": "no run for those that were missed",
}
MOST_OF_A_NAME = 24
WITH_ALL = 80
"""From so many characters on all that is known of them has a column."""


def due(schedule: ScheduleInfo) -> str:
    """When a schedule is due next, in words."""
    if not schedule.enabled:
        return "disabled"
    if schedule.next_at is None:
        return f"done {moment(schedule.last_at)}" if schedule.last_at is not None else "done"
    return f"next {moment(schedule.next_at)}, {ahead(schedule.next_at)}"


def opening(window: WindowInfo) -> str:
    """How a window is, and when that changes."""
    now, then = ("open", "closes") if window.is_open else ("closed", "opens")
    if window.changes_at is None:
        return f"{now}, always" if window.is_open else f"{now}, never {then}"
    return f"{now}, {then} {moment(window.changes_at)}, {ahead(window.changes_at)}"


def schedules_list(schedules: Sequence[ScheduleInfo], width: int) -> Group:
    """Schedules, a line each, then why a last firing made no run."""
    with_recipe = width >= WITH_ALL
    table = plain_table("schedule", "when", *(["recipe"] if with_recipe else []), "due")
    table.columns[
        1
    ].no_wrap = False  # times that are long go on below, so that all else stays whole
    for schedule in schedules:
        names = [one_line(schedule.name, MOST_OF_A_NAME), clocked(schedule.when, schedule.timezone)]
        recipe = [schedule.recipe] if with_recipe else []
        table.add_row(*names, *recipe, Text(due(schedule), style=_style(schedule)))
    failed = (schedule for schedule in schedules if schedule.last_error)
    lines = (f"{schedule.name} made no run: {schedule.last_error}" for schedule in failed)
    return Group(table, *(Text(line, style="red") for line in lines))


def schedule_page(schedule: ScheduleInfo) -> Group:
    """One schedule whole."""
    title = Text.assemble((schedule.name, "bold"), f"  {schedule.id}  ")
    title.append(due(schedule), style=_style(schedule))
    settings = [(key, shown(value)) for key, value in schedule.launch.overrides.items()]
    more = [heading("Settings"), facts(settings)] if settings else []
    return Group(title, facts(_facts(schedule)), *more)


def windows_table(windows: Sequence[WindowInfo], width: int) -> Table:
    """Windows, a line each; the narrower, the fewer columns."""
    headers = ["window", "hours", "now", "at closing", "runs"]
    table = plain_table(*headers[: None if width >= WITH_ALL else 3])
    _go_on_below(table.columns[1])
    for window in windows:
        style = "green" if window.is_open else "dim"
        hours = clocked(window.hours, window.timezone)
        runs = str(len(window.runs) or "")
        name = one_line(window.name, MOST_OF_A_NAME)
        cells = [name, hours, Text(opening(window), style), window.at_close, runs]
        table.add_row(*cells[: len(table.columns)])
    return table


def _go_on_below(column: Column) -> None:
    """Times that are long take several lines, so that all else stays whole."""
    column.no_wrap, column.overflow = False, "fold"


def _facts(schedule: ScheduleInfo) -> Iterator[tuple[str, str | Text]]:
    launch = schedule.launch
    yield "when", f"{schedule.when}  {schedule.timezone}"
    yield "recipe", f"{schedule.recipe}, preset {launch.preset or 'none'}"
    yield "missed", _MISSED[schedule.missed]
    yield "last", NOTHING if schedule.last_at is None else moment(schedule.last_at)
    if schedule.last_run:
        yield "last run", schedule.last_run
    if schedule.last_error:
        yield "last error", Text(schedule.last_error, style="red")
    for name in ("window", "group", "priority", "after", "after_any", "revision"):
        value = getattr(launch, name)
        if value != type(launch).model_fields[name].get_default(call_default_factory=True):
            yield (
                name.replace("_", " "),
                ", ".join(value) if isinstance(value, list) else str(value),
            )
    yield "added", date(schedule.created_at)


def clocked(words: str, zone: str) -> str:
    """Times, with the zone whose clock they go by unless that shows the same as the clock here."""
    return words if _shows_the_same(ZoneInfo(zone)) else f"{words}  {zone}"


def _shows_the_same(zone: ZoneInfo) -> bool:
    """In winter and in summer."""
    year = time.localtime().tm_year
    days = (datetime(year, month, 15, 12, tzinfo=zone) for month in (1, 7))
    offsets = ((day.utcoffset(), time.localtime(day.timestamp()).tm_gmtoff) for day in days)
    return all(there is not None and there.total_seconds() == here for there, here in offsets)


def _style(schedule: ScheduleInfo) -> str:
    return "cyan" if schedule.enabled and schedule.next_at is not None else "dim"
