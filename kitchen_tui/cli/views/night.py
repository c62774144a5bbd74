"""The plan of the night: a line for each run, drawn over the hours."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_daemon.models import NightPlan, PlannedRun
from kitchen_tui.cli.views.axis import Axis
from kitchen_tui.cli.views.style import heading, plain_table
from kitchen_tui.format import duration, one_line

MOST_OF_A_NAME = 20
LEAST_CHART = 20
"""Characters below which nothing is drawn."""
WITH_IDS = 110
"""From so many characters on there is a column of ids."""
KNOWN, ASSUMED, MARK = "█", "▒", "┊"
TO_COME = "cyan"
"""Of runs that a schedule has yet to make."""
_ID = len("1qqw00000001  ")
_WHEN = len("  Mon 22:00  Tue 06:00  ")
_MOST_EMPTY = 0.5
"""The hours are drawn to where the last run ends, where more than this part of them would stay empty."""
_AFTER_THE_LAST = 1.1
_LEAST_DRAWN_S = 300.0


def night_page(plan: NightPlan, width: int) -> Group:
    """What runs when, then what does not begin and why, then what was assumed."""
    return Group(*_page(plan, width))


def _page(plan: NightPlan, width: int) -> Iterator[RenderableType]:
    begin = [run for run in plan.runs if run.stretches]
    never = [run for run in plan.runs if not run.stretches]
    named = min(max(len("name"), *(len(run.name) for run in plan.runs)), MOST_OF_A_NAME)
    yield Text(_all_in_all(plan, begin), style="dim")
    if begin:
        yield _table(plan, begin, named, width)
    if never:
        yield heading("These do not begin until then")
        for run in never:
            yield Text.assemble(one_line(run.name, named).ljust(named), (f"  {run.reason}", "dim"))
    if plan.assumed:
        names = ", ".join(dict.fromkeys(plan.assumed))
        yield Text(
            f"\nNobody knows how long these take; they are drawn as {ASSUMED}, "
            f"and taken for {duration(plan.assumed_s)}: {names}",
            style="dim",
        )


def _table(plan: NightPlan, runs: Sequence[PlannedRun], named: int, width: int) -> RenderableType:
    with_ids = width >= WITH_IDS
    room = width - named - _WHEN - (_ID if with_ids else 0)
    axis = Axis(plan.made_at, _drawn_until(plan, runs), room) if room >= LEAST_CHART else None
    table = plain_table(*(["run"] if with_ids else []), "name", "begins", "ends")
    for column in table.columns[-2:]:
        column.justify = "right"
    if axis is not None:
        table.add_column(axis.header(), no_wrap=True)
    for run in runs:
        style = "" if run.id else TO_COME
        ids = [Text(run.id or "schedule", style=style)] if with_ids else []
        name = Text(one_line(run.name, named), style=style)
        chart = [] if axis is None else [bars(run, plan, axis)]
        table.add_row(*ids, name, _begins(run, plan), _ends(run, plan), *chart)
    return table


def bars(run: PlannedRun, plan: NightPlan, axis: Axis) -> Text:
    """A run's times with a worker, over the hours of the plan; at least one character for each."""
    cells = Text(" " * axis.columns)
    for column, _ in axis.marks():
        cells = _put(cells, column, column + 1, MARK, "bright_black")
    for stretch in run.stretches:
        ends_at = plan.until if stretch.ends_at is None else stretch.ends_at
        first = axis.column(stretch.starts_at)
        last = max(first, axis.column(ends_at, end=True))
        mark = ASSUMED if stretch.ends is None and run.name in plan.assumed else KNOWN
        cells = _put(cells, first, last + 1, mark, TO_COME if run.id is None else "green")
    return cells


def _put(cells: Text, start: int, stop: int, mark: str, style: str) -> Text:
    drawn = Text(mark * (stop - start), style=style)
    return Text.assemble(cells[:start], drawn, cells[stop:])


def _drawn_until(plan: NightPlan, runs: Sequence[PlannedRun]) -> float:
    """To the end of the plan; where all is over long before that, to a little after the last run."""
    last = _last_end(runs)
    if last is None or last - plan.made_at > _MOST_EMPTY * (plan.until - plan.made_at):
        return plan.until
    after = max(_AFTER_THE_LAST * (last - plan.made_at), _LEAST_DRAWN_S)
    return min(plan.made_at + after, plan.until)


def _last_end(runs: Sequence[PlannedRun]) -> float | None:
    """When all of them are over; None where that is after the plan."""
    ends = [_done_at(run) for run in runs]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _done_at(run: PlannedRun) -> float | None:
    """When it is done; None where it goes on after the plan, with a worker or without."""
    last = run.stretches[-1]
    return None if last.ends in ("window", "preempted") else last.ends_at


def _all_in_all(plan: NightPlan, begin: Sequence[PlannedRun]) -> str:
    until = f"Until {_clock(plan.until)}, by the quotes"
    if not begin:
        return f"{until}: nothing runs"
    last, many = _last_end(begin), len(begin)
    runs = "1 run" if many == 1 else f"{many:,} runs"
    if last is None:
        later = sum(_done_at(run) is None for run in begin)
        return f"{until}: {runs}, {later:,} of which end{'s' if later == 1 else ''} later"
    return f"{until}: {runs}, {'which' if many == 1 else 'the last'} ends at {_clock(last, plan)}"


def _begins(run: PlannedRun, plan: NightPlan) -> str:
    at = run.stretches[0].starts_at
    return "runs" if run.id is not None and at < plan.made_at else _clock(at, plan)


def _ends(run: PlannedRun, plan: NightPlan) -> str:
    """When it ends: the weekday where that is another than at the beginning, and how long it took where that is less
    than a minute.
    """
    begins, ends = run.stretches[0].starts_at, _done_at(run)
    if ends is None:
        return "later"
    if ends - begins < 60:
        return f"+ {duration(ends - begins)}"
    same_day = time.localtime(begins)[:3] == time.localtime(ends)[:3]
    return time.strftime("%H:%M", time.localtime(ends)) if same_day else _clock(ends, plan)


def _clock(at: float, plan: NightPlan | None = None) -> str:
    """The local time, with the weekday unless it is that on which the plan was made."""
    then = time.localtime(at)
    is_today = plan is not None and then[:3] == time.localtime(plan.made_at)[:3]
    return time.strftime("%H:%M" if is_today else "%a %H:%M", then)
