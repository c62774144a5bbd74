"""Rows as a run would train on them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_daemon.models import RenderedSequence, Rendering
from kitchen_tui.cli.views.style import facts
from kitchen_tui.cli.views.tokens import indented, legend, row_title, trained_text
from kitchen_tui.format import percent


def rendering_page(rendering: Rendering, *, color: bool) -> Group:
    """What was rendered and how, each sequence, and a line with the totals."""
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
    yield Text()
    for sequence in rendering.sequences:
        yield from _sequence(sequence, rendering.max_length, color)
        yield Text()
    yield _total(rendering)


def _sequence(sequence: RenderedSequence, max_length: int, color: bool) -> Iterator[RenderableType]:
    yield row_title(sequence.where, sequence.num_tokens, sequence.num_loss_tokens)
    spans = [(segment.text, segment.trained) for segment in sequence.segments]
    yield indented(trained_text(spans, color=color))
    if sequence.num_cut:
        words = f"✂ cut at max_length={max_length}: {sequence.num_cut:,} more tokens are not read"
        yield indented(Text(words, style="yellow"))
    if not sequence.num_loss_tokens:
        yield indented(Text("left out of the run: no token of it is trained", style="red"))


def _total(rendering: Rendering) -> Text:
    """The totals of what is shown."""
    tokens = sum(sequence.num_tokens for sequence in rendering.sequences)
    trained = sum(sequence.num_loss_tokens for sequence in rendering.sequences)
    share = percent(trained / tokens if tokens else None)
    many = len(rendering.sequences) != rendering.num_rows
    sequences = f" in {len(rendering.sequences):,} sequences" if many else ""
    shown = f"{rendering.num_rows:,} of {rendering.total_rows:,} rows{sequences}"
    return Text(f"{shown}: {tokens:,} tokens, {trained:,} trained ({share})", style="bold")
