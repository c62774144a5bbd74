"""Samples of kinds that a recipe's own stages log: whatever they say, name by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import KindView, Look
from kitchen_tui.cli.views.style import facts, shown
from kitchen_tui.cli.views.tokens import indented, visible


def view(kind: str) -> KindView:
    """How samples of a kind that nobody here knows are shown."""
    return KindView(kind, lambda look: None, _draw)


def _draw(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    del look
    for sample in samples:
        told = {name: value for name, value in sample.items() if name not in ("step", "kind")}
        yield indented(facts((name, visible(shown(value))) for name, value in told.items()))
        yield Text()
