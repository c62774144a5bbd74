"""What a schedule does when its time has come, is long over, or seems to lie in the future."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen_core.store import Store
from kitchen_core.store.records import ScheduleRecord
from kitchen_daemon.scheduling.triggers import Times, times
from kitchen_daemon.scheduling.zones import zone_named

LATE_S = 60.0
"""A firing that is later than this was missed: no daemon ran, or the machine slept."""

MOST_MADE_UP = 100
"""So many firings that were missed are made up for, the last ones: after months there may be very many."""


@dataclass(frozen=True, slots=True)
class Due:
    """A firing: for which time it is, and when the schedule is due next. makes_run: not where it was missed and its
    schedule wants no run for that.
    """

    at: float
    next_at: float | None
    late_s: float
    makes_run: bool = True


def times_of(schedule: ScheduleRecord) -> Times:
    """When a schedule is due. Raises BadTime where that can't be told any more."""
    return times(schedule.trigger, zone_named(schedule.timezone), schedule.created_at)


def what_is_due(schedule: ScheduleRecord, now: float, rested_at: float = 0.0) -> Due:
    """The firing of a schedule whose time has come. Raises BadTime.

    rested_at: when all that was due had been seen to. What came while others were being fired is not late.
    """
    first = schedule.next_at
    assert first is not None
    due = times_of(schedule)
    late_s = now - max(first, rested_at)
    if late_s <= LATE_S:
        return Due(first, due.after(first), max(late_s, 0.0))
    if schedule.missed == "all":
        at = due.last_until(now, first, MOST_MADE_UP)
        return Due(at, due.after(at), now - max(at, rested_at))
    if schedule.missed == "once":
        at = due.last_until(now, first)
        return Due(at, due.after(at), now - at)
    at = due.last_until(max(now - LATE_S, first), first)
    return Due(at, due.after(at), now - at, makes_run=False)


def next_time(store: Store, schedule: ScheduleRecord, now: float) -> float | None:
    """When a schedule is due after now, at a time for which it has not fired yet. Raises BadTime.

    Clocks are put back: its last firing may lie in the future, and the times until then come again.
    """
    for at in times_of(schedule).following(now):
        if at != schedule.last_at and not store.has_fired(schedule.id, at):
            return at
    return None
