"""What the queue decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kitchen_core.needs import Placement
from kitchen_core.telemetry.schema import PausedFor
from kitchen_daemon.models.queue import WaitCode


@dataclass(frozen=True, slots=True)
class Why:
    """Why a run waits."""

    code: WaitCode
    text: str


@dataclass(frozen=True, slots=True)
class Start:
    """Give a waiting run a worker, there."""

    run_id: str
    placement: Placement


@dataclass(frozen=True, slots=True)
class GoAside:
    """Let a run that has a worker save itself and stop. It goes on later by itself. for_run: who gets its place."""

    run_id: str
    why: PausedFor
    for_run: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now. order: who waits, first to last, those that start now among them. whys: for each that does
    not start now. look_at: when the clock alone will change something; None: never.
    """

    starts: tuple[Start, ...]
    go_aside: tuple[GoAside, ...]
    order: tuple[str, ...]
    whys: Mapping[str, Why]
    look_at: float | None
