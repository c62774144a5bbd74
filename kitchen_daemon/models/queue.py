"""The queue: what runs, what waits and why, and what can be asked of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from kitchen_core.needs import MAIN_GROUP, Needs, Placement
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models.base import Model


class WaitCode(StrEnum):
    """Why a run waits, for programs."""

    HELD = "held"
    """Somebody holds it."""
    AFTER = "after"
    """A run that it comes after has not ended."""
    AFTER_LOST = "after_lost"
    """A run that it needs has failed or was cancelled."""
    NOT_BEFORE = "not_before"
    """Its time has not come."""
    WINDOW_CLOSED = "window_closed"
    WINDOW_MISSING = "window_missing"
    """Its window was removed."""
    QUEUE_PAUSED = "queue_paused"
    """Its group, or every group, is paused."""
    GROUP_FULL = "group_full"
    """As many runs of its group have a worker as may."""
    MEMORY = "memory"
    """There is a device for it, with too little memory free."""
    DEVICE = "device"
    """All devices of its kind are taken."""
    TURN = "turn"
    """What it needs is kept for a run before it."""
    TOO_LARGE = "too_large"
    """It needs more than the machine has."""
    PREEMPTING = "preempting"
    """Runs of lower priority are going aside for it."""
    STARTING = "starting"
    """A worker is being made for it."""


class WaitingInfo(Model):
    """A run that waits, as the queue shows it. place counts from 1. seconds: what it is expected to take from
    here, None where nobody knows.
    """

    place: int
    id: str
    name: str
    recipe: str
    status: RunStatus
    code: WaitCode
    reason: str
    priority: int
    group: str
    window: str | None
    not_before: float | None
    needs: Needs
    seconds: float | None


class RunningInfo(Model):
    """A run that has a worker. leaving: it was asked to stop, in a few words. eta_s: seconds left."""

    id: str
    name: str
    recipe: str
    priority: int
    group: str
    placement: Placement
    step: int
    total_steps: int | None
    eta_s: float | None
    leaving: str | None


class GroupInfo(Model):
    """A group of the queue. most_running None: as many as fit."""

    name: str
    most_running: int | None
    is_paused: bool
    running: int
    waiting: int


class QueueInfo(Model):
    """The queue. waiting: the first of them, in order; waiting_count: all. is_paused: every group is."""

    is_paused: bool
    running: list[RunningInfo]
    waiting: list[WaitingInfo]
    waiting_count: int
    groups: list[GroupInfo]


class Move(Model):
    """Where a waiting run goes. before and after name another waiting run, whose priority it takes."""

    to: Literal["first", "last", "before", "after"]
    run: str | None = None


class QueuePause(Model):
    """A pause of a group, or of every group. let_finish: what runs goes on to its end; else it saves itself
    and stops.
    """

    group: str | None = None
    let_finish: bool = False


class RunChange(Model):
    """What can be changed of a run that waits; None leaves it as it is."""

    priority: int | None = Field(default=None, ge=-1000, le=1000)
    group: str | None = Field(default=None, min_length=1, max_length=80)


class GroupChange(Model):
    """What can be set for a group."""

    name: str = Field(default=MAIN_GROUP, min_length=1, max_length=80)
    most_running: int | None = Field(default=None, ge=1)
