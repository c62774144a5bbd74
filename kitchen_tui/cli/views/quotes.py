"""What a run is expected to take, before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_daemon.models import MemoryPart, Quote
from kitchen_tui.cli.views.queueing import energy, step_time
from kitchen_tui.cli.views.style import facts, plain_table
from kitchen_tui.format import duration, size

_BAR = 30
_LEAST_SHOWN = 0.005
"""Smaller parts of the whole are summed up in one line."""


def quote_page(quote: Quote) -> Group:
    """A quote: memory by its parts, whether there is room now, time and energy, and what it rests on."""
    return Group(*_page(quote))


def quote_facts(quote: Quote) -> Iterator[tuple[str, str]]:
    """A quote's figures, by name."""
    yield "device", quote.device
    if quote.memory_bytes is not None:
        yield "memory", f"{size(quote.memory_bytes)}{_room(quote.memory_bytes, quote.free_bytes)}"
    if quote.steps is not None:
        yield "steps", str(quote.steps)
    if quote.seconds_a_step is not None:
        yield "a step", step_time(quote.seconds_a_step)
    if quote.seconds is not None:
        yield "time", duration(quote.seconds)
    if quote.energy_j is not None:
        yield "energy", energy(quote.energy_j)
    if quote.seconds is not None:
        yield "by", "earlier runs like it" if quote.basis == "measured" else "arithmetic alone"


def _page(quote: Quote) -> Iterator[RenderableType]:
    yield facts(quote_facts(quote))
    if quote.parts:
        yield Text()
        yield _parts(quote.parts)
    for note in quote.notes:
        yield Text(note, style="dim")


def _room(needed: int, free: int | None) -> str:
    """Whether that fits at this moment, in words."""
    if free is None:
        return ""
    if needed <= free:
        return f", fits now: {size(free)} free"
    return f", does not fit now: {size(free)} free, so it would wait for {size(needed - free)} more"


def _parts(parts: Sequence[MemoryPart]) -> Table:
    """A bar each, the largest first."""
    whole = sum(part.bytes for part in parts)
    large = [part for part in parts if part.bytes >= _LEAST_SHOWN * whole]
    rest = whole - sum(part.bytes for part in large)
    table = plain_table("", "memory", "")
    table.columns[1].justify = "right"
    for name, count in [*((part.name, part.bytes) for part in large), ("others", rest)]:
        if count:
            bar = "█" * max(1, round(_BAR * count / whole))
            table.add_row(name, size(count), Text(bar, style="cyan"))
    return table
