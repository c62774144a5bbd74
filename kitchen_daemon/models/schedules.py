"""Schedules, windows, and the plan of what runs when."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from kitchen_daemon.models.base import Model
from kitchen_daemon.models.launches import Launch
from kitchen_daemon.models.queue import WaitCode


def _can_be_named(name: str) -> str:
    if not name.strip() or "/" in name:
        raise ValueError("a name of some letters, without a slash")
    return name.strip()


Name: TypeAlias = Annotated[str, Field(max_length=80), AfterValidator(_can_be_named)]


class NewSchedule(Model):
    """A launch to be made when its time comes.

    when: `2026-12-24 22:00`, `22:00`, `tomorrow 22:00`, `in 2h` (once); `nightly 22:00`, `mon-fri 22:00`,
    `every 6h`, `cron 0 22 * * 1-5` (again and again). timezone: an IANA name; None: the machine's. missed: what
    becomes of firings while no daemon ran: one run, a run for each of the last 100, or none.
    """

    name: Name
    launch: Launch
    when: str
    timezone: str | None = None
    missed: Literal["once", "all", "skip"] = "once"


class ScheduleInfo(Model):
    """A schedule. next_at: seconds since the epoch, None where it never fires again. last_run: what its last
    firing made; last_error: why it made none.
    """

    id: str
    name: str
    recipe: str
    launch: Launch
    when: str
    timezone: str
    missed: str
    enabled: bool
    next_at: float | None
    last_at: float | None
    last_run: str | None
    last_error: str | None
    created_at: float


class NewWindow(Model):
    """Hours in which runs may run: `22:00-06:00`, `mon-fri 20:00-07:30`, `sat,sun 00:00-24:00`; several with a
    semicolon between. at_close: `pause` saves what runs and goes on at the next opening, `finish` lets it end.
    """

    name: Name
    hours: str
    timezone: str | None = None
    at_close: Literal["pause", "finish"] = "pause"


class WindowInfo(Model):
    """A window as it stands. changes_at: when it next opens or closes. runs: that wait for it or run in it."""

    name: str
    hours: str
    timezone: str
    at_close: str
    is_open: bool
    changes_at: float | None
    runs: list[str]


class PlannedStretch(Model):
    """A stretch of a run with a worker. ends: why it ends: `done`, `window` or `preempted`; None where nobody
    knows how long it takes. device: in words.
    """

    starts_at: float
    ends_at: float | None
    ends: Literal["done", "window", "preempted"] | None
    device: str


class PlannedRun(Model):
    """A run of the plan. id: None where a schedule has yet to make it. schedule: which one does. code, reason: why
    it would not begin within the plan.
    """

    id: str | None
    name: str
    recipe: str
    schedule: str | None
    priority: int
    stretches: list[PlannedStretch]
    code: WaitCode | None = None
    reason: str | None = None


class NightPlan(Model):
    """What runs when, by the quotes. until: how far it looks. assumed: runs of unknown length, which are taken to
    last `assumed_s`.
    """

    made_at: float
    until: float
    runs: list[PlannedRun]
    assumed: list[str] = Field(default_factory=list)
    assumed_s: float
