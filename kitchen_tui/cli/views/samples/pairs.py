"""Pairs of answers, and how the policy tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import RIGHT, WRONG, KindView, Look, said, surprises
from kitchen_tui.cli.views.style import facts
from kitchen_tui.cli.views.tokens import indented, visible
from kitchen_tui.format import signed

SIDE_BY_SIDE = 100
"""From so many characters on the two answers stand beside one another."""


def _draw(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    for sample in samples:
        yield _title(sample)
        yield indented(facts([("prompt", visible(str(sample.get("prompt", ""))))]))
        answers = [_answer(sample, side, look) for side in ("chosen", "rejected")]
        wide = look.width >= SIDE_BY_SIDE
        yield indented(_beside(answers, look) if wide else _below(answers))
        yield Text()


def _title(sample: Sample) -> Text:
    margin = sample.get("margin")
    mark = RIGHT if margin and margin > 0 else WRONG if margin else ("= ", "dim")
    where = str(sample.get("where", "")) or "a pair"
    return Text.assemble(mark, (where, "cyan"), f"  margin {signed(margin)}")


def _answer(sample: Sample, side: str, look: Look) -> tuple[Text, str | Text]:
    """An answer's title and its text."""
    title = Text.assemble((side, "bold"), f"  reward {signed(sample.get(f'{side}_reward'))}")
    return title, said(sample.get(f"{side}_tokens", ()), str(sample.get(side, "")), look)


def _beside(answers: Sequence[tuple[Text, str | Text]], look: Look) -> Table:
    grid = Table.grid(padding=(0, 4, 0, 0))
    grid.width = look.width - 2
    for _ in answers:
        grid.add_column(ratio=1, overflow="fold")
    grid.add_row(*(title for title, _ in answers))
    grid.add_row(*(text for _, text in answers))
    return grid


def _below(answers: Sequence[tuple[Text, str | Text]]) -> Table:
    grid = Table.grid()
    grid.add_column(overflow="fold")
    for title, text in answers:
        grid.add_row(title)
        grid.add_row(indented(text))
    return grid


VIEW = KindView("pairs, ✓ where the chosen is ahead", surprises, _draw)
