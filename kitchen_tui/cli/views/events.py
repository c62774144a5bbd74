"""An event in one line."""

from __future__ import annotations

import sys
from typing import Any

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_core.train.ports.notices import Notice
from kitchen_tui.cli.run_view import is_notice
from kitchen_tui.cli.views.style import shown
from kitchen_tui.format import clock, number, one_line

_LONGEST_TEXT = 60
_SHORT = 8  # characters of a hash
_WHOLE = ("message", "reason")
"""Sentences to the user, which are never cut."""
_ELSEWHERE = ("segments", "tokens", "chosen_tokens", "rejected_tokens", "turns", "error")
"""What `kitchen samples` and `kitchen show` are for."""


def event_line(event: Event) -> str:
    """Time, step, kind, and what there is to say."""
    step = "" if event.step is None else str(event.step)
    said = notice_words(event) if is_notice(event) else _measured(event)
    return f"{clock(event.at)}  {step:>6}  {event.kind:<18}{said}".rstrip()


def notice_words(event: Event) -> str:
    """What an adapter has to say: who, what, and what comes next."""
    kind = "retried" if event.kind is EventKind.PORT_RETRIED else "waiting"
    return one_line(str(Notice(kind, **event.metadata)), sys.maxsize)


def _measured(event: Event) -> str:
    told = {name: number(value) for name, value in event.measurements.items()}
    told |= {
        name: _said(name, value)
        for name, value in event.metadata.items()
        if value is not None and name not in _ELSEWHERE
    }
    words = [event.stage or "", *(f"{name}={value}" for name, value in told.items())]
    return " ".join(filter(None, words))


def _said(name: str, value: Any) -> str:
    if not isinstance(value, str):
        return shown(value)
    return one_line(value, sys.maxsize if name in _WHOLE else _LONGEST_TEXT)


def recipe_line(event: Event) -> str:
    """What became of a recipe: time, name, and which revision it is or what is wrong with it."""
    told = event.metadata
    match event.kind:
        case EventKind.RECIPE_REVISED:
            files = f"  ({', '.join(told['files'])})" if told["files"] else "  (as it was before)"
            words = f"revised  {told['sha256'][:_SHORT]}{files}"
        case EventKind.RECIPE_BROKEN:
            good = f"; {told['good'][:_SHORT]} still runs" if told["good"] else ""
            words = f"broken   {one_line(told['error'], sys.maxsize)}{good}"
        case _:
            words = "removed"
    return f"{clock(event.at)}  {told['recipe']}  {words}"
