"""Samples on a page: step by step, and in each step kind by kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_tui.cli.views.samples import answers, distilled, other, pairs, rollouts, rows
from kitchen_tui.cli.views.samples.collecting import Sample
from kitchen_tui.cli.views.samples.look import Look

VIEWS = {
    "train": rows.VIEW,
    "pair": pairs.VIEW,
    "rollout": rollouts.VIEW,
    "distilled": distilled.VIEW,
    "answer": answers.VIEW,
}


def samples_page(samples: Sequence[Sample], *, color: bool, width: int) -> Group:
    """The samples step by step. width: of the screen, in characters."""
    return Group(*_page(samples, Look(color, width)))


def _page(samples: Sequence[Sample], look: Look) -> Iterator[RenderableType]:
    explained: set[str] = set()
    for (step, kind), of_kind in groupby(samples, lambda each: (each["step"], each["kind"])):
        view = VIEWS.get(kind) or other.view(kind)
        yield Text.assemble((f"step {step}", "bold"), f"  {view.title}")
        legend = view.legend(look)
        if legend and kind not in explained:
            yield legend
        explained.add(kind)
        yield from view.draw(list(of_kind), look)
