"""Asking adapters whether the other side can be reached. An SDK may block, or bring a gigabyte of libraries,
so they are asked in a process of its own, all at once, which is ended when its time is up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from kitchen_core.adapters.choices import PortChoice
from kitchen_core.home import Home
from kitchen_daemon.adapter_models import PortState
from kitchen_daemon.models import Model
from kitchen_daemon.process import kill_group
from kitchen_daemon.workers import FIXED_AT_SPAWN

PROBE_SECONDS = 5.0
"""How long each may take; all of them are asked at the same time."""
START_SECONDS = 5.0
"""How long the process may take beside them, to start and to let go."""


class Asked(Model):
    """A port, and the adapter that is asked."""

    port: str
    choice: PortChoice


class ProbeTask(Model):
    """What the process is told."""

    home: str
    asked: list[Asked]
    seconds: float


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
    home: Home, asked: Sequence[Asked], seconds: float = PROBE_SECONDS
) -> list[ProbeAnswer]:
    """The answer of each, in order. Blocks, for a few `seconds` at most."""
    task = ProbeTask(home=str(home.root), asked=list(asked), seconds=seconds)
    late = ProbeAnswer(state="unreachable", detail=f"no answer within {seconds:g} s")
    answers = [late] * len(asked)
    for line in _said(home, task).splitlines():
        told = ProbeLine.model_validate_json(line)
        answers[told.index] = told.answer
    return answers


def _said(home: Home, task: ProbeTask) -> bytes:
    """What the process said in its time."""
    with home.daemon_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "kitchen_daemon.probing_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | FIXED_AT_SPAWN,
            start_new_session=True,
        )
    try:
        said, _ = process.communicate(task.model_dump_json().encode(), task.seconds + START_SECONDS)
    except subprocess.TimeoutExpired as expired:
        said = expired.stdout or b""
    finally:
        kill_group(process)
        process.wait()
    whole, _, _ = said.rpartition(b"\n")  # a line that was cut off is none
    return whole
