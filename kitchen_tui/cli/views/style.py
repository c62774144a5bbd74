"""Colors and the small pieces that several views share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from kitchen_core.telemetry.schema import RunStatus
from kitchen_tui.format import number

STATUS_COLORS = {
    RunStatus.QUEUED: "cyan",
    RunStatus.HELD: "yellow",
    RunStatus.RUNNING: "blue",
    RunStatus.PAUSED: "yellow",
    RunStatus.INTERRUPTED: "yellow",
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "magenta",
}
NARROW = 60


def status_text(status: RunStatus) -> Text:
    """A status in its color."""
    return Text(status.value, style=STATUS_COLORS[status])


def cut(text: str, style: str = "") -> Text:
    """Text that keeps to its line: where there is no room, a column of it is narrowed before others are."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def plain_table(*headers: str) -> Table:
    """A table without lines."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in headers:
        table.add_column(header, no_wrap=True, overflow="ellipsis")
    return table


def shown(value: Any) -> str:
    """A setting's value as one writes it on the command line."""
    if value is None:
        return "none"
    if isinstance(value, bool | Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return number(value) if isinstance(value, float) else str(value)


def facts(pairs: Iterable[tuple[str, str | Text]]) -> Table:
    """Names and values in two columns; values that are long go on below."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        grid.add_row(name, value)
    return grid


def heading(text: str) -> Text:
    """The name of a section, with a line above it."""
    return Text(f"\n{text}", style="bold")
