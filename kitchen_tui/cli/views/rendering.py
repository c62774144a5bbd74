"""Rows as a run would train on them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_daemon.models import RenderedRows, RenderedSequence, Rendering
from kitchen_tui.cli.views.style import facts, heading
from kitchen_tui.cli.views.tokens import indented, legend, row_title, trained_text
from kitchen_tui.format import number, percent


def rendering_page(rendering: Rendering, *, color: bool) -> Group:
    """What was rendered and how, each sequence, and a line with the totals of each set."""
    return Group(*_page(rendering, color))


def _page(rendering: Rendering, color: bool) -> Iterator[RenderableType]:
    yield facts(
        [
            ("dataset", f"{rendering.dataset} ({rendering.schema_name})"),
            ("model", rendering.model),
            ("renderer", f"{rendering.renderer}, max_length {rendering.max_length}"),
            ("train_on", f"{rendering.train_on}  ({legend(color=color)})"),
        ]
    )
    yield from _rows(rendering, rendering.max_length, color)
    for mix in rendering.mixed:
        yield heading(f"mix  {mix.dataset} × {number(mix.share)} ({mix.schema_name})")
        yield from _rows(mix, rendering.max_length, color)


def _rows(rows: RenderedRows, max_length: int, color: bool) -> Iterator[RenderableType]:
    yield Text()
    for sequence in rows.sequences:
        yield from _sequence(sequence, max_length, color)
        yield Text()
    yield _total(rows)


def _sequence(sequence: RenderedSequence, max_length: int, color: bool) -> Iterator[RenderableType]:
    where = f"{sequence.where} {sequence.side}".rstrip()
    yield row_title(where, sequence.num_tokens, sequence.num_loss_tokens)
    spans = [(segment.text, segment.trained) for segment in sequence.segments]
    yield indented(trained_text(spans, color=color))
    if sequence.num_cut:
        words = f"✂ cut at max_length={max_length}: {sequence.num_cut:,} more tokens are not read"
        yield indented(Text(words, style="yellow"))
    if not sequence.num_loss_tokens:
        yield indented(Text("left out of the run: no token of it is trained", style="red"))


def _total(rows: RenderedRows) -> Text:
    """The totals of what is shown."""
    tokens = sum(sequence.num_tokens for sequence in rows.sequences)
    trained = sum(sequence.num_loss_tokens for sequence in rows.sequences)
    share = percent(trained / tokens if tokens else None)
    many = len(rows.sequences) != rows.num_rows
    sequences = f" in {len(rows.sequences):,} sequences" if many else ""
    shown = f"{rows.num_rows:,} of {rows.total_rows:,} rows{sequences}"
    return Text(f"{shown}: {tokens:,} tokens, {trained:,} trained ({share})", style="bold")
