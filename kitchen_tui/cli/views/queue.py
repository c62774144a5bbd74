"""The queue: what runs, what waits in which order and why, and its groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kitchen_core.needs import EVERY_GROUP, MAIN_GROUP, Placement
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import GroupInfo, QueueInfo, RunningInfo, WaitCode, WaitingInfo
from kitchen_tui.cli.views.style import STATUS_COLORS, cut, heading, plain_table
from kitchen_tui.format import duration, one_line, size

WITH_BARS = 80
"""From so many characters on a run's progress is a bar as well."""

WITH_ALL = 110
"""From so many characters on there is a column for all that is asked of the queue, and for the reason."""

MOST_OF_A_NAME = 20
_BAR = 12
_CODE_COLORS = {
    WaitCode.HELD: "yellow",
    WaitCode.AFTER_LOST: "red",
    WaitCode.WINDOW_MISSING: "red",
    WaitCode.TOO_LARGE: "red",
    WaitCode.QUEUE_PAUSED: "yellow",
}
"""Of the reasons that somebody has to do something about. The others pass by themselves."""


def queue_page(queue: QueueInfo, width: int, group: str | None = None) -> Group:
    """Everything about the queue, or about one group of it."""
    return Group(*_page(queue, width, group))


def groups_table(groups: Sequence[GroupInfo]) -> Table:
    """The groups, a line each; every group together only where something holds for all."""
    table = plain_table("group", "running", "at most", "waiting", "")
    for each in groups:
        if each.name == EVERY_GROUP and each.most_running is None and not each.is_paused:
            continue
        name = "all together" if each.name == EVERY_GROUP else each.name
        most = "as many as fit" if each.most_running is None else str(each.most_running)
        paused = Text("paused" if each.is_paused else "", style="yellow")
        table.add_row(name, str(each.running), most, str(each.waiting), paused)
    return table


def pauses(queue: QueueInfo) -> list[Text]:
    """What is paused, and how it goes on; a line each."""
    if queue.is_paused:
        return [Text("The queue is paused. Go on with: kitchen queue resume", style="yellow")]
    return [
        Text(
            f"Group {each.name} is paused. Go on with: kitchen queue resume --group {each.name}",
            style="yellow",
        )
        for each in queue.groups
        if each.is_paused
    ]


def running_table(
    running: Sequence[RunningInfo], width: int, gpus: Mapping[str, int] | None = None
) -> Table:
    """What runs, a line each. gpus: the number of each GPU by its UUID."""
    with_group = width >= WITH_ALL and any(each.group != MAIN_GROUP for each in running)
    table = plain_table("run")
    table.add_column("name", max_width=MOST_OF_A_NAME)
    if width >= WITH_BARS:
        table.add_column("", width=_BAR)
    for header in ("step", "left"):
        table.add_column(header, no_wrap=True, justify="right")
    if with_group:
        table.add_column("group", no_wrap=True)
    table.add_column("on")
    for each in running:
        bar = [_bar(each)] if width >= WITH_BARS else []
        left = "" if not each.eta_s or each.leaving else duration(each.eta_s)
        group = [each.group] if with_group else []
        where = _where(each, gpus or {})
        table.add_row(each.id, cut(each.name), *bar, _steps(each), left, *group, where)
    return table


def waiting_lines(
    waiting: Sequence[WaitingInfo], width: int, *, whole: bool = True
) -> RenderableType:
    """What waits, in order, each with its reason: in a column where there is room, else below it.

    whole: reasons that are long go on below; else they are cut, and a run takes one line, or two.
    """
    if width < (WITH_ALL if whole else WITH_BARS):
        return Group(*chain.from_iterable(_two_lines(each, whole=whole) for each in waiting))
    columns = {name: cells for name, cells in _asked(waiting).items() if width >= WITH_ALL}
    table = plain_table("", "run")
    table.columns[0].justify = "right"
    table.add_column("name", min_width=8, max_width=MOST_OF_A_NAME)
    for header in columns:
        justify = "left" if header == "group" else "right"
        table.add_column(header, no_wrap=True, justify=justify)
    table.add_column("waits", overflow="fold")
    for i, each in enumerate(waiting):
        asked = [cells[i] for cells in columns.values()]
        table.add_row(str(each.place), each.id, cut(each.name), *asked, reason(each, whole=whole))
    return table


def _asked(waiting: Sequence[WaitingInfo]) -> dict[str, list[str]]:
    """What is asked of the queue, by column; only what somebody asks."""
    asked = {
        "priority": [str(each.priority or "") for each in waiting],
        "group": ["" if each.group == MAIN_GROUP else each.group for each in waiting],
        "takes": ["" if each.seconds is None else duration(each.seconds) for each in waiting],
    }
    return {name: cells for name, cells in asked.items() if any(cells)}


def reason(each: WaitingInfo, *, whole: bool) -> Text:
    """Why a run waits, marked where that does not pass by itself; in one line unless `whole`."""
    style = _CODE_COLORS.get(each.code, "dim")
    return Text(each.reason, style=style) if whole else cut(each.reason, style)


def placement_words(placement: Placement, gpus: Mapping[str, int] | None = None) -> str:
    """A place in words. gpus: the number of each GPU by its UUID; where one is unknown they are counted."""
    if not placement.gpus:
        return f"{placement.slots} CPU slot{'' if placement.slots == 1 else 's'}"
    known = gpus or {}
    if all(uuid in known for uuid in placement.gpus):
        where = "GPU " + ", ".join(str(known[uuid]) for uuid in placement.gpus)
    else:
        count = len(placement.gpus)
        where = f"{count} GPU{'' if count == 1 else 's'}"
    if placement.shares and placement.memory_bytes is not None:
        return f"{size(placement.memory_bytes)} of {where}"
    return where


def more_words(queue: QueueInfo, shown: int) -> str:
    """How many more wait than are shown; nothing where there are none."""
    more = queue.waiting_count - shown
    return f"{more:,} more wait{'s' if more == 1 else ''}" if more > 0 else ""


def _page(queue: QueueInfo, width: int, group: str | None) -> Iterator[RenderableType]:
    yield from pauses(queue)
    if queue.running:
        yield Text(f"Running ({len(queue.running)})", style="bold")
        yield running_table(queue.running, width)
    if queue.waiting_count:
        title = f"Waiting ({queue.waiting_count:,})"
        yield heading(title) if queue.running else Text(title, style="bold")
        if queue.waiting:
            yield waiting_lines(queue.waiting, width)
        more = more_words(queue, len(queue.waiting))
        if more:
            chosen = f" --group {group}" if group else ""
            yield Text(f"{more}: kitchen queue{chosen} --limit 0", style="dim")


def _two_lines(each: WaitingInfo, *, whole: bool) -> Iterator[RenderableType]:
    place = f"{each.place}  "
    first = cut(f"{place}{each.id}  {one_line(each.name, MOST_OF_A_NAME)}")
    if each.priority:
        first.append(f"  priority {each.priority}", style="dim")
    if each.group != MAIN_GROUP:
        first.append(f"  {each.group}", style="dim")
    yield first
    yield Padding(reason(each, whole=whole), (0, 0, 0, len(place)), expand=False)


def _bar(each: RunningInfo) -> ProgressBar | Text:
    if not each.total_steps:
        return Text("")
    return ProgressBar(
        total=each.total_steps,
        completed=each.step,
        width=_BAR,
        style="bright_black",
        complete_style=STATUS_COLORS[RunStatus.RUNNING],
        finished_style=STATUS_COLORS[RunStatus.COMPLETED],
    )


def _steps(each: RunningInfo) -> str:
    return f"{each.step}/{each.total_steps}" if each.total_steps else str(each.step or "")


def _where(each: RunningInfo, gpus: Mapping[str, int]) -> Text:
    if each.leaving:
        return cut(each.leaving, "yellow")
    return cut(placement_words(each.placement, gpus))
