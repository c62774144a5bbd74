"""An event in one line."""

from __future__ import annotations

from typing import Any

from kitchen_core.telemetry.schema import Event
from kitchen_tui.format import clock, number, one_line

_LONGEST_VALUE = 60


def event_line(event: Event) -> str:
    """Time, step, kind, and what there is to say."""
    step = "" if event.step is None else str(event.step)
    told = {name: number(value) for name, value in event.measurements.items()}
    told |= {name: _shown(value) for name, value in event.metadata.items()}
    words = [event.stage or "", *(f"{name}={value}" for name, value in told.items())]
    return f"{clock(event.at)}  {step:>6}  {event.kind:<18}{' '.join(filter(None, words))}".rstrip()


def _shown(value: Any) -> str:
    return number(value) if isinstance(value, float) else one_line(str(value), _LONGEST_VALUE)
