"""The samples of a run, from its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kitchen_core.telemetry.schema import Event, EventKind

Sample = dict[str, Any]
"""A logged sample: its step, its kind, its index, and what was logged of it."""

KINDS = ("train", "pair", "rollout", "distilled", "answer")
"""The kinds that the kitchen's own stages log, in the order in which they are shown. A recipe's own
stage may log others.
"""

LOGGING = (EventKind.SAMPLE_LOGGED, EventKind.RUN_RESUMED)
"""The kinds of events that say which samples a run has."""

_Place = tuple[int, int, str, int, int]


def samples_of(events: Iterable[Event]) -> list[Sample]:
    """The samples of a run, the newest step last, from its events of the kinds in LOGGING.

    A resume takes back what lies beyond its checkpoint; of what is logged again the later counts.
    """
    found: dict[_Place, Sample] = {}
    for event in events:
        step = event.step or 0
        if event.kind is EventKind.RUN_RESUMED:
            found = {place: sample for place, sample in found.items() if place[0] <= step}
            continue
        sample = {"step": event.step, "kind": "answer", **event.metadata, **event.measurements}
        found[step, *_place(sample)] = sample
    return [found[place] for place in sorted(found)]


def kinds_of(samples: Iterable[Sample]) -> list[str]:
    """The kinds that there are, in the order in which they are shown."""
    return sorted({sample["kind"] for sample in samples}, key=_rank)


def newest(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of the last step that has some; each kind has its own."""
    last = {sample["kind"]: sample["step"] for sample in samples}
    return [sample for sample in samples if sample["step"] == last[sample["kind"]]]


def _place(sample: Sample) -> tuple[int, str, int, int]:
    kind, group = sample["kind"], sample.get("group")
    return *_rank(kind), group if isinstance(group, int) else 0, sample.get("index", 0)


def _rank(kind: str) -> tuple[int, str]:
    return KINDS.index(kind) if kind in KINDS else len(KINDS), kind
