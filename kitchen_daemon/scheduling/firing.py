"""The loop that fires schedules when they are due.

The store says what is due and takes a firing as one transaction; this only waits, and prepares what is submitted. So it
can be killed at any moment, and another may do the same beside it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kitchen_core.home import Home
from kitchen_core.store import RunRecord, Store
from kitchen_core.store.errors import StoreBusy, StoreFull
from kitchen_core.store.records import ScheduleRecord
from kitchen_daemon.launching.choosing import BrokenRecipe
from kitchen_daemon.launching.submission import Submission, Submissions
from kitchen_daemon.models import Launch
from kitchen_daemon.refusals import problem_of, status_of
from kitchen_daemon.scheduling.due import next_time, what_is_due
from kitchen_daemon.scheduling.words import BadTime
from kitchen_daemon.secrets import redactor

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0
"""The clock may be set, and the machine may sleep: after so long it looks again."""
RETRY_S = 5.0


@dataclass(frozen=True)
class _Prepared:
    """What a firing submits, or why it submits nothing; and what to say of it besides."""

    what: Submission | None
    error: str | None = None
    told: dict[str, Any] = field(default_factory=dict)


class Firing:
    """Fires schedules. on_run: called on the event loop when a run was queued."""

    def __init__(
        self, home: Home, store: Store, submissions: Submissions, on_run: Callable[[], None]
    ) -> None:
        self._home = home
        self._store = store
        self._submissions = submissions
        self._on_run = on_run
        self._wake = asyncio.Event()
        self._rested_at = 0.0

    def wake(self) -> None:
        """Look at the schedules again: one has changed."""
        self._wake.set()

    async def serve(self) -> None:
        """Fire what is due until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            try:
                wait_s = await asyncio.to_thread(self._round, loop)
            except Exception:  # the schedules outlive whatever one round met
                logger.exception("the schedules met an error; looking again in a moment")
                wait_s = RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):  # wait_for may lose a cancellation
                    await self._wake.wait()

    def fire_now(self, schedule: ScheduleRecord) -> RunRecord:
        """Let a schedule fire at once, beside its own times. Raises as a submission does, and NotFound."""
        prepared = self._newest(launch_of(schedule))
        assert prepared.what is not None
        run, quote = prepared.what
        at, told = time.time(), prepared.told | {"asked": True}
        while (
            made := self._store.fire_schedule(schedule, at, schedule.next_at, run, quote, told=told)
        ) is None:
            schedule = self._store.find_schedule(schedule.id)  # it has just fired by itself
        return self._submissions.accept(made)

    def _round(self, loop: asyncio.AbstractEventLoop) -> float:
        """Fire all that is due; how long nothing will be, in seconds."""
        now = time.time()
        self._put_back(now)
        all_went_well = True
        for schedule in self._store.due_schedules(now):
            try:
                if self._fire(schedule, now):
                    loop.call_soon_threadsafe(self._on_run)
            except Exception:  # the others have their times too
                logger.exception("schedule %s could not fire; trying again", schedule.name)
                all_went_well = False
        if not all_went_well:
            return RETRY_S
        self._rested_at = time.time()
        next_due = self._store.next_due()
        if next_due is None:
            return LONGEST_WAIT_S
        return min(max(next_due - self._rested_at, 0.0), LONGEST_WAIT_S)

    def _put_back(self, now: float) -> None:
        """Where the clock was put back behind a schedule's last firing, find its next time anew."""
        for schedule in self._store.list_schedules():
            is_ahead = (schedule.last_at or 0.0) > now
            if is_ahead and schedule.enabled and (schedule.next_at or 0.0) > now:
                with suppress(BadTime):
                    self._store.reschedule(schedule, next_time(self._store, schedule, now))

    def _fire(self, schedule: ScheduleRecord, now: float) -> bool:
        """Let a schedule fire; whether a run was queued."""
        try:
            due = what_is_due(schedule, now, self._rested_at)
        except BadTime as error:
            assert schedule.next_at is not None
            self._store.fire_schedule(schedule, schedule.next_at, None, None, error=str(error))
            return False
        if due.makes_run:
            prepared = self._prepared(schedule)
        else:
            prepared = _Prepared(None, "missed: no daemon ran then, and missed firings are skipped")
        told = prepared.told | {"late_s": due.late_s}
        run, quote = prepared.what or (None, None)
        made = self._store.fire_schedule(
            schedule, due.at, due.next_at, run, quote, error=prepared.error, told=told
        )
        if prepared.error:
            logger.error("schedule %s made no run: %s", schedule.name, prepared.error)
        if made is not None:
            self._submissions.accept(made)
        return made is not None

    def _prepared(self, schedule: ScheduleRecord) -> _Prepared:
        """What it submits, or why it can't. Raises StoreBusy and StoreFull."""
        try:
            return self._newest(launch_of(schedule))
        except (StoreBusy, StoreFull):  # not the submission's fault; it is tried again
            raise
        except Exception as error:
            if status_of(error) is None:
                logger.exception("schedule %s met an error", schedule.name)
            return _Prepared(None, self._said(error))

    def _newest(self, launch: Launch) -> _Prepared:
        """The run by the recipe as it is now; where that is broken, by the last revision that was not."""
        try:
            return _Prepared(self._submissions.prepare(launch))
        except BrokenRecipe as error:
            good = error.good.sha256
            what = self._submissions.prepare(launch.model_copy(update={"revision": good}))
            return _Prepared(what, told={"revision": good, "broken": self._said(error)})

    def _said(self, error: Exception) -> str:
        known = status_of(error) is not None
        message = problem_of(error).message if known else f"{type(error).__name__}: {error}"
        return redactor(self._home).value(" ".join(message.split()))


def launch_of(schedule: ScheduleRecord) -> Launch:
    """What a schedule submits. Its runs bear its name unless they have one of their own."""
    launch = Launch.model_validate(schedule.payload)
    return launch.model_copy(update={"name": launch.name or schedule.name})
