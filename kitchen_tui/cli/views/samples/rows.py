"""Rows as they are trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import KindView, Look
from kitchen_tui.cli.views.tokens import indented, legend, row_title, trained_text


def _legend(look: Look) -> Text:
    return Text(legend(color=look.color))


def _draw(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    for sample in samples:
        where = f"{sample['where']} {sample.get('side') or ''}".rstrip()
        yield row_title(where, sample["num_tokens"], sample["num_loss_tokens"])
        spans = [(span["text"], span["trained"]) for span in sample["segments"]]
        yield indented(trained_text(spans, color=look.color))
        yield Text()


VIEW = KindView("rows of the next batch", _legend, _draw)
