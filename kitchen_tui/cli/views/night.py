"""The plan of the night: a line for each run, drawn over the hours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_daemon.models import NightPlan, PlannedRun
from kitchen_tui.cli.views.style import heading, plain_table
from kitchen_tui.format import duration, one_line

MOST_OF_A_NAME = 20
LEAST_CHART = 20
"""Characters below which nothing is drawn."""
KNOWN, ASSUMED = "█", "▒"
_WHEN = len("  Mon 22:00  Tue 06:00  ")
_HOURS_BETWEEN = (1 / 12, 1 / 4, 1 / 2, 1, 2, 3, 6, 12, 24)
_TICK = 6
"""Characters that a mark on the line of hours needs."""


def night_page(plan: NightPlan, width: int) -> Group:
    """What runs when, then what does not begin and why, then what was assumed."""
    return Group(*_page(plan, width))


def _page(plan: NightPlan, width: int) -> Iterator[RenderableType]:
    begin = [run for run in plan.runs if run.stretches]
    never = [run for run in plan.runs if not run.stretches]
    named = min(max(len("run"), *(len(run.name) for run in plan.runs)), MOST_OF_A_NAME)
    room = width - named - _WHEN
    yield Text(f"until {_clock(plan.until)}, by the quotes", style="dim")
    if begin:
        table = plain_table("run", "begins", "ends", *(["-"] if room >= LEAST_CHART else []))
        if room >= LEAST_CHART:
            table.columns[-1].header = hours(plan, room)
        for run in begin:
            chart = [bars(run, plan, room)] if room >= LEAST_CHART else []
            begins = _clock(run.stretches[0].starts_at)
            table.add_row(one_line(run.name, named), begins, _ends(run), *chart)
        yield table
    if never:
        yield heading("These do not begin until then")
        for run in never:
            yield Text.assemble(one_line(run.name, named), (f"  {run.reason or ''}", "dim"))
    if plan.assumed:
        names = ", ".join(dict.fromkeys(plan.assumed))
        yield Text(
            f"\nNobody knows how long these take; they are drawn as {ASSUMED}, "
            f"and taken for {duration(plan.assumed_s)}: {names}",
            style="dim",
        )


def bars(run: PlannedRun, plan: NightPlan, room: int) -> Text:
    """A run's times with a worker, over the hours of the plan; at least one character for each."""
    cells = [" "] * room
    for stretch in run.stretches:
        ends_at = plan.until if stretch.ends_at is None else stretch.ends_at
        first = _column(stretch.starts_at, plan, room)
        last = max(first, _column(ends_at, plan, room, end=True))
        mark = ASSUMED if stretch.ends is None else KNOWN
        cells[first : last + 1] = mark * (last + 1 - first)
    style = "green" if run.id is not None else "cyan"
    return Text("".join(cells), style=style)


def hours(plan: NightPlan, room: int) -> str:
    """The line of hours above the bars, by the clock here."""
    span_h = (plan.until - plan.made_at) / 3600
    fitting = (each for each in _HOURS_BETWEEN if span_h / each * _TICK <= room)
    between_s = 3600 * next(fitting, 24)
    line = [" "] * room
    for at in _marks(plan, between_s):
        place = _column(at, plan, room)
        mark = time.strftime("%H:%M", time.localtime(at))
        if place + len(mark) <= room:
            line[place : place + len(mark)] = mark
    return "".join(line)


def _marks(plan: NightPlan, between_s: float) -> Sequence[float]:
    """Full hours here, or parts of them, so far apart."""
    offset = time.localtime(plan.made_at).tm_gmtoff
    first = -(-(plan.made_at + offset) // between_s) * between_s - offset
    count = int((plan.until - first) // between_s) + 1
    return [first + between_s * number for number in range(max(count, 0))]


def _column(at: float, plan: NightPlan, room: int, *, end: bool = False) -> int:
    share = (at - plan.made_at) / max(plan.until - plan.made_at, 1.0)
    column = int(share * room - (1e-9 if end else 0))
    return min(max(column, 0), room - 1)


def _ends(run: PlannedRun) -> str:
    """When it ends: the weekday where that is another, and how long it took where that is less than a minute."""
    begins, ends = run.stretches[0].starts_at, run.stretches[-1].ends_at
    if ends is None:
        return ""
    if ends - begins < 60:
        return f"+ {duration(ends - begins)}"
    day, clock = _clock(ends).split()
    return clock if _clock(begins).startswith(day) else f"{day} {clock}"


def _clock(at: float) -> str:
    """The local weekday and time."""
    return time.strftime("%a %H:%M", time.localtime(at))
