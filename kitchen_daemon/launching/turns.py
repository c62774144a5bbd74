"""What a launch asks of the queue, checked and frozen; and whether a run is held from the beginning."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kitchen_core.config import ConfigError
from kitchen_core.needs import Needs
from kitchen_core.store.queue import ParentRow
from kitchen_core.store.records import EVERY_GROUP
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import Launch, WaitCode
from kitchen_daemon.queueing.obstacles import Obstacles
from kitchen_daemon.queueing.states import Machine, Parent, QueueState, Waiting
from kitchen_daemon.scheduling.moments import moment
from kitchen_daemon.scheduling.zones import zone_named
from kitchen_daemon.settings import Settings

HOLDING = frozenset({WaitCode.HELD, WaitCode.AFTER, WaitCode.AFTER_LOST})
"""With these a run is held; with all others it is queued."""


@dataclass(frozen=True)
class Turn:
    """When a run may have its turn. after, after_any: ids of runs. not_before: seconds since the epoch."""

    after: list[str]
    after_any: list[str]
    priority: int
    queue_group: str
    window: str | None
    not_before: float | None
    is_held: bool
    preempts: bool
    max_retries: int


def turn_of(store: Store, settings: Settings, launch: Launch, parents: Sequence[str]) -> Turn:
    """What the launch asks for. parents: runs that it uses and that have not completed.

    Raises ConfigError, BadTime, or the store's NotFound.
    """
    if launch.group == EVERY_GROUP:
        raise ConfigError(f"group: '{EVERY_GROUP}' means every group; name one")
    named = [store.find_run(run).id for run in launch.after]
    after = list(dict.fromkeys([*named, *parents]))
    after_any = list(dict.fromkeys(store.find_run(run).id for run in launch.after_any))
    return Turn(
        after=after,
        after_any=[run for run in after_any if run not in after],
        priority=launch.priority,
        queue_group=launch.group,
        window=None if launch.window is None else store.get_window(launch.window).name,
        not_before=None if launch.at is None else moment(launch.at, time.time(), zone_named(None)),
        is_held=launch.hold,
        preempts=launch.preempt,
        max_retries=settings.retries if launch.retries is None else launch.retries,
    )


def first_status(
    store: Store, after: Sequence[str], after_any: Sequence[str], is_held: bool
) -> dict[str, Any]:
    """The status that a submission begins with, and why."""
    must = [ParentRow("", run.id, run.name, run.status, 1) for run in map(store.get_run, after)]
    may = [ParentRow("", run.id, run.name, run.status, 0) for run in map(store.get_run, after_any)]
    why = why_held([*must, *may], is_held)
    if why is not None:
        return {"status": RunStatus.HELD, "reason": why}
    return {"status": RunStatus.QUEUED, "reason": None}


def why_held(parents: Sequence[ParentRow], is_held: bool = False) -> str | None:
    """Why a run is held: somebody does, or it comes after others; None where nothing holds it."""
    told = tuple(Parent(p.id, p.name, RunStatus(p.status), bool(p.must_complete)) for p in parents)
    alone = QueueState(time.time(), (), (), Machine(slots=0, ram_bytes=0))
    why = Obstacles(alone).first(Waiting("", "", Needs(), is_held=is_held, parents=told))
    return why.text if why is not None and why.code in HOLDING else None
