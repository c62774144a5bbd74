"""Answers to held-out questions, as an evaluation sampled them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import (
    RIGHT,
    WRONG,
    KindView,
    Look,
    more_than,
    parts_of,
    said,
    surprises,
)
from kitchen_tui.cli.views.style import facts
from kitchen_tui.cli.views.tokens import indented, visible
from kitchen_tui.format import number


def _draw(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    for sample in samples:
        mark = RIGHT if sample.get("correct") else WRONG
        yield Text.assemble(mark, visible(str(sample.get("question", ""))))
        yield indented(facts(_told(sample, look)))
        yield Text()


def _told(sample: Sample, look: Look) -> Iterator[tuple[str, str | Text]]:
    prompt = str(sample.get("prompt", ""))
    if more_than(prompt, str(sample.get("question", ""))):
        yield "prompt", visible(prompt)
    yield "completion", said(sample.get("tokens", ()), str(sample.get("completion", "")), look)
    if "expected" in sample:
        yield "expected", visible(str(sample["expected"]))
    if sample.get("rewards"):
        yield "rewards", parts_of(sample["rewards"])
    if "logprob" in sample:
        yield "logprob", number(sample["logprob"])


VIEW = KindView("answers to held-out questions", surprises, _draw)
