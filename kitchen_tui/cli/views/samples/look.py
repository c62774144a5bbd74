"""What the views of all kinds of samples have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from kitchen_tui.cli.views.likelihood import SURPRISES, scored_text
from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.tokens import legend_of, visible
from kitchen_tui.format import number

RIGHT = ("✓ ", "green")
WRONG = ("✗ ", "red")


@dataclass(frozen=True)
class Look:
    """What the screen can do. width: in characters."""

    color: bool
    width: int


@dataclass(frozen=True)
class KindView:
    """How samples of one kind are shown: under a title, with a legend of their marks."""

    title: str
    legend: Callable[[Look], Text | None]
    draw: Callable[[Sequence[Sample], Look], Iterator[RenderableType]]


def said(tokens: Sequence[Sequence], text: str, look: Look) -> str | Text:
    """What the model said, its surprising tokens marked where they are known."""
    if not tokens:
        return visible(text)
    return scored_text(((token, logprob) for token, logprob in tokens), color=look.color)


def surprises(look: Look) -> Text:
    """The legend of `said`."""
    marks = (mark for _, mark in reversed(SURPRISES))
    return legend_of(marks, color=look.color).append(" likely", style="dim")


def more_than(prompt: str, question: str) -> bool:
    """Whether a prompt says more than the question that is shown already."""
    return bool(prompt) and prompt.strip() != question.strip()


def parts_of(rewards: Mapping[str, float | None]) -> str:
    """The parts of a reward in one line."""
    return "  ".join(f"{name} {number(value)}" for name, value in rewards.items())
