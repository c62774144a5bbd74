"""Rows as a run would train on them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_daemon.models import RenderedRows, RenderedSequence, Rendering
from kitchen_tui.cli.views.style import facts, heading
from kitchen_tui.cli.views.tokens import indented, legend, row_title, trained_text
from kitchen_tui.format import number, one_line, percent


def rendering_page(rendering: Rendering, *, color: bool) -> Group:
    """What was rendered and how, each sequence, and a line with the totals of each set."""
    return Group(*_page(rendering, color))


def _page(rendering: Rendering, color: bool) -> Iterator[RenderableType]:
    yield facts(
        [
            ("dataset", f"{rendering.dataset} ({rendering.schema_name})"),
            ("model", rendering.model),
            ("renderer", f"{rendering.renderer}, max_length {rendering.max_length}"),
            ("train_on", _train_on(rendering, color)),
        ]
    )
    yield from _rows(rendering, rendering.max_length, color)
    for mix in rendering.mixed:
        yield heading(f"mix  {mix.dataset} × {number(mix.share)} ({mix.schema_name})")
        yield from _rows(mix, rendering.max_length, color)


def _train_on(rendering: Rendering, color: bool) -> str:
    is_asked = any(sequence.asked for sequence in rendering.sequences)
    return rendering.train_on + ("" if is_asked else f"  ({legend(color=color)})")


def _rows(rows: RenderedRows, max_length: int, color: bool) -> Iterator[RenderableType]:
    yield Text()
    for sequence in rows.sequences:
        yield from _sequence(sequence, max_length, color)
        yield Text()
    yield _total(rows)


def _sequence(sequence: RenderedSequence, max_length: int, color: bool) -> Iterator[RenderableType]:
    where = f"{sequence.where} {sequence.side}".rstrip()
    if sequence.asked:
        yield from _prompt(where, sequence, max_length, color)
        return
    yield row_title(where, sequence.num_tokens, sequence.num_loss_tokens)
    spans = [(segment.text, segment.trained) for segment in sequence.segments]
    yield indented(trained_text(spans, color=color))
    if sequence.num_cut:
        words = f"✂ cut at max_length={max_length}: {sequence.num_cut:,} more tokens are not read"
        yield indented(Text(words, style="yellow"))
    if not sequence.num_loss_tokens:
        yield indented(Text("left out of the run: no token of it is trained", style="red"))


def _prompt(
    where: str, sequence: RenderedSequence, max_length: int, color: bool
) -> Iterator[RenderableType]:
    """What is asked, and what should be answered."""
    yield Text.assemble((where, "cyan"), f"  {sequence.num_tokens} tokens")
    spans = [(segment.text, segment.trained) for segment in sequence.segments]
    yield indented(trained_text(spans, color=color))
    if sequence.expected:
        yield indented(Text(f"expected: {one_line(sequence.expected, 200)}", style="dim"))
    if not sequence.fits:
        words = f"left out of the run: no room for an answer within max_length={max_length}"
        yield indented(Text(words, style="red"))


def _total(rows: RenderedRows) -> Text:
    """The totals of what is shown."""
    tokens = sum(sequence.num_tokens for sequence in rows.sequences)
    if any(sequence.asked for sequence in rows.sequences):
        words = f"{rows.num_rows:,} of {rows.total_rows:,} rows: {tokens:,} tokens of prompts"
        return Text(words, style="bold")
    trained = sum(sequence.num_loss_tokens for sequence in rows.sequences)
    share = percent(trained / tokens if tokens else None)
    many = len(rows.sequences) != rows.num_rows
    sequences = f" in {len(rows.sequences):,} sequences" if many else ""
    shown = f"{rows.num_rows:,} of {rows.total_rows:,} rows{sequences}"
    return Text(f"{shown}: {tokens:,} tokens, {trained:,} trained ({share})", style="bold")
