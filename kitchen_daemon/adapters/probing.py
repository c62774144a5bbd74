"""Asking adapters whether the other side can be reached. An SDK may block, or bring a gigabyte of libraries,
so they are asked in a process of its own, all at once, which is ended when its time is up.
"""

from __future__ import annotations

from collections.abc import Sequence

from kitchen_core.adapters.choices import PortChoice
from kitchen_daemon.apart import Apart, Task
from kitchen_daemon.models import Model, PortState

PROBE_SECONDS = 10.0
"""How long each may take; all of them are asked at the same time. Torch alone takes five from a cold disk."""
START_SECONDS = 5.0
"""How long the process may take beside them, to start and to let go."""


class Asked(Model):
    """A port, and the adapter that is asked."""

    port: str
    choice: PortChoice


class ProbeTask(Task):
    """What the process is told. seconds_each: how long an adapter may take."""

    asked: list[Asked]
    seconds_each: float


class ProbeAnswer(Model):
    """What was found."""

    state: PortState
    detail: str = ""
    hint: str = ""


class ProbeLine(Model):
    """One line of what the process says: the answer of `asked[index]`."""

    index: int
    answer: ProbeAnswer


def probe_all(
    apart: Apart, asked: Sequence[Asked], seconds: float = PROBE_SECONDS
) -> list[ProbeAnswer]:
    """The answer of each, in order. Blocks, for a few `seconds` at most. Raises Stopping."""
    task = ProbeTask(
        home=str(apart.home.root),
        seconds=seconds + START_SECONDS,
        asked=list(asked),
        seconds_each=seconds,
    )
    said = apart.ask("kitchen_daemon.adapters.process", task)
    why = f"no answer within {seconds:g} s"
    if said.exit_code:
        why = f"asking ended (exit code {said.exit_code}): {said.last_words or 'it said nothing'}"
    answers = [ProbeAnswer(state="unreachable", detail=why)] * len(asked)
    for line in map(ProbeLine.model_validate, said.answers):
        answers[line.index] = line.answer
    return answers
