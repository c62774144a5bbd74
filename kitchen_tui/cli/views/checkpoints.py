"""What a service keeps: a line each where they fit, else a path a line with what is known below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from kitchen_daemon.checkpoint_models import CheckpointInfo
from kitchen_tui.cli.views.style import plain_table
from kitchen_tui.format import NOTHING, age, ahead, size

_UNBOUNDED = 10_000
_HEADERS = ("path", "kind", "made", "expires", "size", "loaded by", "run")


def checkpoints_table(kept: Sequence[CheckpointInfo], console: Console) -> Table | None:
    """All of them, None where that would cut the paths, which people copy."""
    table = plain_table(*_HEADERS)
    for each in kept:
        table.add_row(*_cells(each))
    unbounded = console.options.update(max_width=_UNBOUNDED)
    fits = console.measure(table, options=unbounded).maximum <= console.width
    return table if fits else None


def checkpoint_lines(kept: CheckpointInfo) -> list[str]:
    """One of them: its path, which is never folded, and what is known of it below."""
    path, kind, made, expires, large, loaded_by, _ = _cells(kept)
    run = f"  run {kept.run}" if kept.run else ""
    return [path, f"  {kind}, made {made}, expires {expires}, {large}, loaded by {loaded_by}{run}"]


def summary(kept: Sequence[CheckpointInfo]) -> str:
    """How many there are, how large as far as the service says, and how many stay."""
    count = len(kept)
    sizes = [each.size_bytes for each in kept if each.size_bytes is not None]
    large = f", {size(sum(sizes))}" if sizes else ""
    stay = sum(each.expires_at is None for each in kept)
    return (
        f"{count} checkpoint{'' if count == 1 else 's'}{large}; {stay} kept until you delete them"
    )


def _cells(kept: CheckpointInfo) -> list[str]:
    return [
        kept.path,
        kept.kind,
        age(kept.created_at),
        "never" if kept.expires_at is None else ahead(kept.expires_at),
        NOTHING if kept.size_bytes is None else size(kept.size_bytes),
        "everybody" if kept.public else "you",
        kept.run or NOTHING,
    ]
