"""The figures of a race, for a reader and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.race import Interval, Turn, Unit, cpu_ratio, speed_ratio

KITCHEN = "kitchen"
"""What the kitchen's own contestant is called in a race."""


class Row(NamedTuple):
    """A contestant's figures.

    items_per_s: pairs or completions in a second. ratio, cpu_ratio: what the kitchen does in a second,
    and in a second of CPU time, over its own; nothing for the kitchen itself.
    """

    part: str
    contestant: str
    items_per_s: float
    tokens_per_s: float
    peak_mib: float
    ratio: Interval | None
    cpu_ratio: Interval | None


def figures(part: str, turns: Mapping[str, Sequence[Turn]], unit: Unit = "tokens") -> list[Row]:
    """A row for each contestant of a race."""
    ours = turns.get(KITCHEN)
    return [
        Row(
            part,
            name,
            median(turn.items_per_s for turn in taken),
            median(turn.tokens_per_s for turn in taken),
            max(turn.peak_bytes for turn in taken) / 2**20,
            speed_ratio(ours, taken, unit) if ours and name != KITCHEN else None,
            cpu_ratio(ours, taken, unit) if ours and name != KITCHEN else None,
        )
        for name, taken in turns.items()
    ]


def table(title: str, rows: Sequence[Row], items: str = "") -> Table:
    """The figures for a reader. items: what a contestant's items are, where they count."""
    shown = Table(title=f"{title}, and the kitchen against each", box=box.SIMPLE)
    for heading in ("", "", *_of_items(items, f"{items}/s")):
        shown.add_column(heading)
    for heading in ("tokens/s", "ratio", "by CPU time", "peak MiB"):
        shown.add_column(heading)
    for row in rows:
        shown.add_row(
            row.part,
            row.contestant,
            *_of_items(items, f"{row.items_per_s:,.1f}"),
            f"{row.tokens_per_s:,.0f}",
            str(row.ratio or ""),
            str(row.cpu_ratio or ""),
            f"{row.peak_mib:,.0f}",
        )
    return shown


def show(
    title: str, rows: Sequence[Row], said: Sequence[str], *, items: str = "", as_json: bool = False
) -> None:
    """Print the figures, and what there is to say about them."""
    if as_json:
        print(json.dumps({"rows": [fields(row) for row in rows], "said": list(said)}))
        return
    Console(width=None if sys.stdout.isatty() else 120).print(table(title, rows, items))
    print("\n".join(said))


def fields(row: Row) -> dict[str, Any]:
    """A row with its intervals spelled out."""
    intervals = {"ratio": row.ratio, "cpu_ratio": row.cpu_ratio}
    return row._asdict() | {name: each and each._asdict() for name, each in intervals.items()}


def _of_items(items: str, cell: str) -> list[str]:
    return [cell] if items else []
