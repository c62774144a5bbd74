"""What a service keeps: a line each where they fit, else a path a line with what is known below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.text import Text

from kitchen_daemon.checkpoint_models import CheckpointInfo
from kitchen_tui.cli.views.style import plain_table
from kitchen_tui.format import NOTHING, age, ahead, size

_HEADERS = ("path", "kind", "made", "expires", "size", "loaded by", "run")


def checkpoints_page(kept: Sequence[CheckpointInfo], console: Console) -> RenderableType:
    """All of them. Paths are never cut, so that they can be copied."""
    table = plain_table(*_HEADERS)
    for each in kept:
        table.add_row(*_cells(each))
    if console.measure(table).maximum <= console.width:
        return table
    return Group(*(_lines(each) for each in kept))


def summary(kept: Sequence[CheckpointInfo]) -> str:
    """How many there are, how large as far as the service says, and how many stay."""
    count = len(kept)
    sizes = [each.size_bytes for each in kept if each.size_bytes is not None]
    large = f", {size(sum(sizes))}" if sizes else ""
    stay = sum(each.expires_at is None for each in kept)
    return (
        f"{count} checkpoint{'' if count == 1 else 's'}{large}; {stay} kept until you delete them"
    )


def _lines(kept: CheckpointInfo) -> Text:
    path, *known = _cells(kept)
    run = f"  run {kept.run}" if kept.run else ""
    kind, made, expires, large, loaded_by, _ = known
    below = f"  {kind}, made {made}, expires {expires}, {large}, loaded by {loaded_by}{run}"
    return Text.assemble(path, "\n", (below, "dim"), no_wrap=True, overflow="ignore")


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
