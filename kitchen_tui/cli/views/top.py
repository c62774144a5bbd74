"""The kitchen at a glance: gauges, what runs, what waits and why, and what the clock will change next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_daemon.models import MachineInfo, QueueInfo, ScheduleInfo, WindowInfo
from kitchen_tui.cli.views.gauges import gauge_lines
from kitchen_tui.cli.views.queue import (
    WITH_BARS,
    more_words,
    pauses,
    running_table,
    waiting_lines,
)
from kitchen_tui.format import clock, moment, one_line

MOST_COMING = 3
LEAVE = "q leaves"
_LONGEST_COMING = 56
_OTHERS = 3
"""Lines around what waits: a blank one, its headers, and how many more there are."""


@dataclass(frozen=True)
class Glance:
    """What is known of the kitchen, and since when. trouble: why nothing newer is."""

    at: float
    machine: MachineInfo
    queue: QueueInfo
    windows: Sequence[WindowInfo] = ()
    schedules: Sequence[ScheduleInfo] = ()
    trouble: str = ""


def top_page(glance: Glance, console: Console, *, height: int | None = None) -> Group:
    """The whole page, or what matters most of it in so many lines."""
    above = list(_above(glance, console.width, height))
    below = list(_coming(glance))
    left = None
    if height is not None:
        left = height - _lines(console, above) - _OTHERS
        below = below if _lines(console, below) <= left else []
        left -= _lines(console, below)
    return Group(*above, *_waiting(glance.queue, console.width, left), *below)


def _lines(console: Console, parts: Sequence[RenderableType]) -> int:
    return sum(len(console.render_lines(part, pad=False)) for part in parts)


def _above(glance: Glance, width: int, height: int | None) -> Iterator[RenderableType]:
    yield _title(glance, width, live=height is not None)
    names = {run.id: run.name for run in glance.queue.running}
    half = None if height is None else height // 2
    yield from gauge_lines(glance.machine, names, width, most=half)
    yield from pauses(glance.queue)
    yield Text()
    running = glance.queue.running
    if not running:
        yield Text("Nothing runs.", style="dim")
        return
    gpus = {gpu.uuid: gpu.index for gpu in glance.machine.gpus}
    most = len(running) if height is None else max(height // 4, 1)
    yield running_table(running[:most], width, gpus)
    if len(running) > most:
        yield Text(f"{len(running) - most} more run", style="dim")


def _title(glance: Glance, width: int, *, live: bool) -> Table:
    queue = glance.queue
    told = f"  {len(queue.running)} running, {queue.waiting_count:,} waiting"
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True, justify="right", overflow="ellipsis")
    beside = Text(glance.trouble, style="yellow")
    if live and not glance.trouble:
        beside = Text(LEAVE, style="dim")
    line.add_row(Text.assemble((clock(glance.at), "bold"), told), beside)
    line.width = width
    return line


def _waiting(queue: QueueInfo, width: int, left: int | None) -> Iterator[RenderableType]:
    """What waits, the first of it where not so many lines are left."""
    shown = queue.waiting
    if left is not None:
        shown = shown[: max(left, 0) // (1 if width >= WITH_BARS else 2)]
    if shown:
        yield Text()
        yield waiting_lines(shown, width, whole=left is None)
    more = more_words(queue, len(shown))
    if more:
        yield Text(f"{more}: kitchen queue", style="dim")
    elif not queue.waiting_count:
        yield Text("Nothing waits. Start a run: kitchen run sl_basic", style="dim")


def _coming(glance: Glance) -> Iterator[Text]:
    """What the clock changes next, the soonest first."""
    changes: list[tuple[float, str]] = []
    for window in glance.windows:
        if window.changes_at is not None:
            verb = "closes" if window.is_open else "opens"
            changes.append((window.changes_at, f"window {window.name} {verb}"))
    for schedule in glance.schedules:
        if schedule.enabled and schedule.next_at is not None:
            changes.append((schedule.next_at, f"schedule {schedule.name} starts {schedule.recipe}"))
    if changes:
        yield Text()
    for at, what in sorted(changes)[:MOST_COMING]:
        yield Text.assemble((f"{moment(at)}  ", "bold"), one_line(what, _LONGEST_COMING))
