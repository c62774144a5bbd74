"""What can be asked of schedules and windows, and how they are shown."""

from __future__ import annotations

import time

from kitchen_core.store import Store
from kitchen_core.store.records import ScheduleRecord, WindowRecord
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.models import NewSchedule, NewWindow, ScheduleInfo, WindowInfo
from kitchen_daemon.models.launches import Launch
from kitchen_daemon.scheduling.due import next_time
from kitchen_daemon.scheduling.hours import hours, window_states
from kitchen_daemon.scheduling.night import expected_of
from kitchen_daemon.scheduling.triggers import times
from kitchen_daemon.scheduling.words import BadTime, Passed
from kitchen_daemon.scheduling.zones import zone_named


def add_schedule(store: Store, submissions: Submissions, new: NewSchedule) -> ScheduleRecord:
    """Keep a launch for its times. It is checked as a submission is, so that what is wrong is told now.

    Raises BadTime, NameTaken, and as a submission does.
    """
    made_at = time.time()
    if new.launch.at is not None:
        raise BadTime("the runs of a schedule begin when it fires; leave out 'at'")
    zone = zone_named(new.timezone)
    due = times(new.when, zone, made_at)
    plan = submissions.plan(new.launch)
    return store.add_schedule(
        new.name,
        plan.recipe,
        new.launch.model_dump(mode="json"),
        " ".join(new.when.split()),
        due.after(made_at),
        timezone=zone.key,
        missed=new.missed,
        quote=expected_of(plan),
        made_at=made_at,
    )


def enable(store: Store, schedule: ScheduleRecord) -> None:
    """Let a schedule fire from now on; what it would have done meanwhile is left. Raises Passed where its only time
    is over, and BadTime.
    """
    next_at = next_time(store, schedule, time.time())
    if next_at is None:
        raise Passed(
            f"the time of schedule '{schedule.name}', {schedule.trigger}, is over; add it anew"
        )
    store.enable_schedule(schedule.id, next_at)


def put_window(store: Store, new: NewWindow) -> WindowRecord:
    """Keep a window. Raises BadTime."""
    zone = zone_named(new.timezone)
    hours(new.hours, zone)
    return store.put_window(new.name, " ".join(new.hours.split()), zone.key, new.at_close)


def schedule_info(store: Store, schedule: ScheduleRecord) -> ScheduleInfo:
    """A schedule as it is shown."""
    same = set(ScheduleInfo.model_fields) & set(ScheduleRecord.model_fields)
    return ScheduleInfo(
        **schedule.model_dump(include=same),
        launch=Launch.model_validate(schedule.payload),
        when=schedule.trigger,
        last_run=store.last_run_of(schedule),
    )


def window_infos(store: Store) -> list[WindowInfo]:
    """Every window as it is now, by name."""
    states = window_states(store, time.time())
    return [
        WindowInfo(
            **window.model_dump(include=set(WindowInfo.model_fields)),
            is_open=states[window.name].is_open,
            changes_at=states[window.name].changes_at,
            runs=store.runs_of_window(window.name),
        )
        for window in store.list_windows()
        if window.name in states
    ]
