"""What was said, to the student and to its teacher."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kitchen_tui.cli.views.likelihood import (
    DOUBTED,
    FAVOURED,
    Compared,
    compared_text,
    gap,
    whole_tokens,
)
from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import KindView, Look, more_than
from kitchen_tui.cli.views.style import facts, plain_table
from kitchen_tui.cli.views.tokens import indented, legend_of, visible
from kitchen_tui.format import number, one_line, percent

MOST_DISPUTED = 5
_LONGEST_TOKEN = 20


def _legend(look: Look) -> Text:
    marks = legend_of([*(mark for _, mark in DOUBTED), FAVOURED], color=look.color)
    return Text.assemble(("to the teacher ", "dim"), marks)


def _draw(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    for sample in samples:
        tokens: list[Compared] = [(text, ours, its) for text, ours, its in sample.get("tokens", ())]
        where = str(sample.get("where") or "a prompt")
        yield Text.assemble((where, "cyan"), f"  kl {number(sample.get('kl'))} a token")
        yield indented(facts(_told(sample, compared_text(tokens, color=look.color))))
        disputed = _disputed(tokens)
        if disputed:
            yield indented(_likelihoods(disputed))
        yield Text()


def _told(sample: Sample, text: Text) -> Iterator[tuple[str, str | Text]]:
    question, prompt = str(sample.get("question", "")), str(sample.get("prompt", ""))
    yield "question", visible(question)
    if more_than(prompt, question):
        yield "prompt", visible(prompt)
    yield "said", text
    yield "teacher", str(sample.get("teacher", ""))
    if sample.get("left_out"):
        yield "left out", Text(str(sample["left_out"]), style="red")


def _disputed(tokens: Sequence[Compared]) -> list[Compared]:
    """The tokens that the two find most unlike likely, the most disputed first."""
    gaps = [(abs(gap(token[1], token[2]) or 0.0), token) for token in whole_tokens(tokens)]
    marked = [pair for pair in gaps if pair[0] >= math.log(2)]
    marked.sort(key=lambda pair: -pair[0])
    return [token for _, token in marked[:MOST_DISPUTED]]


def _likelihoods(tokens: Sequence[Compared]) -> Table:
    table = plain_table("token", "student", "teacher")
    for text, student, teacher in tokens:
        shown = one_line(visible(text), _LONGEST_TOKEN) or "␠"
        table.add_row(shown, _share(student), _share(teacher))
    return table


def _share(logprob: float | None) -> str:
    return percent(None if logprob is None else math.exp(logprob))


VIEW = KindView("answers as student and teacher find them", _legend, _draw)
