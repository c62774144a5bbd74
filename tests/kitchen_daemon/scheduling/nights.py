"""Nights that pass in a moment: a daemon's schedules on a clock that jumps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from kitchen_core.home import Home
from kitchen_core.store import NewRun, Store
from kitchen_core.store.records import NewQuote
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submission, Submissions
from kitchen_daemon.models import Launch
from kitchen_daemon.scheduling.firing import LONGEST_WAIT_S, Firing
from kitchen_daemon.scheduling.triggers import times
from tests.clock import Clock, on_fake_clock

VIENNA = ZoneInfo("Europe/Vienna")
HOUR = 3600.0


def at(text: str) -> float:
    """A moment by the clock of Vienna."""
    return datetime.fromisoformat(text).replace(tzinfo=VIENNA).timestamp()


class Quick(Submissions):
    """Prepares without reading the recipe. broken: what it meets, once each."""

    def __init__(self, home: Home, store: Store) -> None:
        super().__init__(home, store, Shelf(home))
        self.home = home
        self.broken: list[Exception] = []
        self.revisions: list[str | None] = []

    def prepare(self, launch: Launch) -> Submission:
        self.revisions.append(launch.revision)
        if self.broken:
            raise self.broken.pop(0)
        run = NewRun(name=launch.name or "", recipe=launch.recipe, workflow="supervised")
        return Submission(run, NewQuote())


class Over(BaseException):
    """The end of a test's time."""


class Until(Firing):
    """Ends once it has looked at its schedules after so many seconds of its clock. most_s: at least that often."""

    clock: Clock
    seconds: float
    most_s: float

    def _round(self, loop: asyncio.AbstractEventLoop) -> float:
        wait_s = super()._round(loop)
        if self.clock.time >= self.seconds:
            raise Over
        return wait_s if wait_s < LONGEST_WAIT_S else self._until_next()

    def _until_next(self) -> float:
        """Where the clock is not set, there is nothing to be seen every minute: it saves the test its time."""
        next_due = self._store.next_due()
        left = self.seconds - self.clock.time
        ahead = left if next_due is None else min(max(next_due - time.time(), 0.0), left)
        return min(ahead, self.most_s)


@dataclass
class Night:
    """A store, what time it is, and a daemon now and then."""

    store: Store
    submissions: Quick
    now: float
    woken: list[float] = field(default_factory=list)

    def schedule(self, when: str, missed: str = "once", name: str = "nightly") -> str:
        made = times(when, VIENNA, self.now)
        return self.store.add_schedule(
            name,
            "sl_basic",
            Launch(recipe="sl_basic").model_dump(),
            when,
            made.after(self.now),
            timezone="Europe/Vienna",
            missed=missed,  # type: ignore[arg-type]
            made_at=self.now,
        ).id

    def run_until(self, end: str, jumps: Sequence[tuple[float, float]] = ()) -> None:
        """Let a daemon run until then. jumps: how far the clock is set, after how many seconds."""
        on_fake_clock(lambda clock: self._run(clock, at(end), jumps))

    async def _run(self, clock: Clock, end: float, jumps: Sequence[tuple[float, float]]) -> None:
        begin = self.now

        def shown() -> float:
            return begin + clock.time + sum(by for after, by in jumps if clock.time >= after)

        before, time.time = time.time, shown
        firing = Until(
            self.submissions.home,
            self.store,
            self.submissions,
            lambda: self.woken.append(shown()),
        )
        firing.clock, firing.seconds = clock, end - begin
        firing.most_s = LONGEST_WAIT_S if jumps else float("inf")
        try:
            await firing.serve()
        except Over:
            self.now = end
        finally:
            time.time = before

    @property
    def runs(self) -> list[str]:
        """What the runs are for, in the order of their making."""
        found = reversed(self.store.list_runs())
        return [
            f"{datetime.fromtimestamp(run.scheduled_at or 0, VIENNA):%d %H:%M}" for run in found
        ]
