"""What a run has logged for people to read: rows with what is trained in them, and answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_tui.cli.views.style import facts
from kitchen_tui.cli.views.tokens import indented, legend, row_title, trained_text, visible
from kitchen_tui.format import number

Sample = dict[str, Any]
"""A logged sample: its step, its kind (`train` or `answer`), its index, and what was logged of it."""


LOGGING = (EventKind.SAMPLE_LOGGED, EventKind.RUN_RESUMED)
"""The kinds of events that say which samples a run has."""


def samples_of(events: Iterable[Event]) -> list[Sample]:
    """The samples of a run, the newest step last, from its events of the kinds in LOGGING.

    A resume takes back what lies beyond its checkpoint; of what is logged again the later counts.
    """
    found: dict[tuple[int, bool, int], Sample] = {}
    for event in events:
        step = event.step or 0
        if event.kind is EventKind.RUN_RESUMED:
            found = {place: sample for place, sample in found.items() if place[0] <= step}
            continue
        sample = {"step": event.step, "kind": "answer", **event.metadata, **event.measurements}
        found[step, sample["kind"] != "train", sample.get("index", 0)] = sample
    return [found[place] for place in sorted(found)]


def samples_page(samples: Sequence[Sample], *, color: bool) -> Group:
    """The samples step by step."""
    return Group(*_page(samples, color))


def _page(samples: Sequence[Sample], color: bool) -> Iterator[RenderableType]:
    note = f"  {legend(color=color)}"
    for step, of_step in groupby(samples, lambda each: each["step"]):
        yield Text.assemble((f"step {step}", "bold"), (note, "dim"))
        note = ""
        for sample in of_step:
            yield from _row(sample, color) if sample["kind"] == "train" else _answer(sample)
            yield Text()


def _row(sample: Sample, color: bool) -> Iterator[RenderableType]:
    yield row_title(sample["where"], sample["num_tokens"], sample["num_loss_tokens"])
    spans = [(span["text"], span["trained"]) for span in sample["segments"]]
    yield indented(trained_text(spans, color=color))


def _answer(sample: Sample) -> Iterator[RenderableType]:
    question = str(sample.get("question", ""))
    right = bool(sample.get("correct"))
    mark = Text("✓ " if right else "✗ ", style="green" if right else "red")
    yield mark.append(visible(question), style="default")
    texts = {name: sample[name] for name in ("prompt", "completion", "expected") if name in sample}
    if "prompt" in texts and texts["prompt"].strip() == question.strip():
        del texts["prompt"]
    told = [(name, visible(text)) for name, text in texts.items()]
    if "logprob" in sample:
        told.append(("logprob", number(sample["logprob"])))
    yield indented(facts(told))
