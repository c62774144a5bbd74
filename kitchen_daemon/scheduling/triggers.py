"""When a schedule is due: once, or again and again, by APScheduler's triggers.

Its CronTrigger is asked about the clock on the wall alone, as if that were UTC, and `zones.instant` says when the clock
shows it. Left to itself it fires twice in the hour that comes twice, and asked within an hour of a skipped time
it may pass that over.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from kitchen_core.explaining import shown
from kitchen_daemon.scheduling.crontab import cron_triggers
from kitchen_daemon.scheduling.moments import moment
from kitchen_daemon.scheduling.words import (
    DAYS,
    MINUTES_A_DAY,
    BadTime,
    Passed,
    duration_s,
    minute_of_day,
    weekday,
    weekdays,
)
from kitchen_daemon.scheduling.zones import instant, wall

EXAMPLES = (
    "22:00, 2026-12-24 22:00 or in 2h (once), "
    "nightly 22:00, mon-fri 22:00, every 6h or cron 0 22 * * 1-5 (again and again)"
)
SHORTEST_S = 60.0
_EVERY_DAY = frozenset(range(7))
_TICK = timedelta(microseconds=1)
_DAY_S = 86400.0


@dataclass(frozen=True)
class Times:
    """The times at which something is due. repeats: it is due again and again."""

    repeats: bool
    triggers: tuple[BaseTrigger, ...]
    zone: ZoneInfo

    def after(self, at: float) -> float | None:
        """The first after a moment; None where none comes."""
        found = (_after(trigger, at, self.zone) for trigger in self.triggers)
        return min((each for each in found if each is not None), default=None)

    def following(self, at: float) -> Iterator[float]:
        """All after a moment, in order."""
        while (found := self.after(at)) is not None:
            yield found
            at = found

    def last_until(self, now: float, first: float, most: int = 1) -> float:
        """The last that is not after `now`, of those from `first` on, which is one; or the first of the last `most`."""
        reach_s = SHORTEST_S * most
        while now - reach_s > first:  # from the end, for there may be very many
            found = self._between(now - reach_s, now)
            if len(found) >= most:
                return found[-most]
            reach_s *= 2
        return [first, *self._between(first, now)][-most:][0]

    def _between(self, after: float, until: float) -> list[float]:
        return list(takewhile(lambda at: at <= until, self.following(after)))


def times(when: str, zone: ZoneInfo, made_at: float) -> Times:
    """The times that a text tells. made_at: when it was written, which one-shots and intervals count from.

    Raises BadTime where it tells none, and Passed for a moment that was over then.
    """
    words = when.strip().lower().split()
    match words:
        case ["cron", *fields]:
            made = Times(True, cron_triggers(fields), zone)
            if made.after(made_at) is None:
                raise BadTime(f"{shown(when)} never comes")
            return made
        case ["every", *rest] if (seconds := duration_s(" ".join(rest))) is not None:
            return Times(True, (_interval(when, seconds, made_at),), zone)
        case [("nightly" | "daily"), clock] | ["every", "day", clock]:
            return Times(True, (_weekly(when, _EVERY_DAY, clock),), zone)
        case ["every", names, clock]:
            return Times(True, (_weekly(when, weekdays(names), clock),), zone)
        case [names, clock] if weekdays(names) and weekday(names) is None:
            return Times(True, (_weekly(when, weekdays(names), clock),), zone)
    return Times(False, (_once(when, zone, made_at),), zone)


def _once(when: str, zone: ZoneInfo, made_at: float) -> DateTrigger:
    try:
        at = moment(when, made_at, zone)
    except Passed:
        raise
    except BadTime:
        raise BadTime.of(when, "time", EXAMPLES) from None
    return DateTrigger(datetime.fromtimestamp(at, UTC))


def _weekly(when: str, days: frozenset[int] | None, clock: str) -> CronTrigger:
    minute = minute_of_day(clock)
    if not days or minute is None:
        raise BadTime.of(when, "time", EXAMPLES)
    ahead, minute = divmod(minute, MINUTES_A_DAY)  # 24:00 is the next day's 00:00
    names = ",".join(DAYS[(day + ahead) % 7] for day in sorted(days))
    return CronTrigger(day_of_week=names, hour=minute // 60, minute=minute % 60, timezone=UTC)


def _interval(when: str, seconds: float, made_at: float) -> IntervalTrigger:
    if seconds < SHORTEST_S:
        raise BadTime(f"{shown(when)} is too often; a minute is the shortest: every 1min")
    seconds = round(seconds)
    first = datetime.fromtimestamp(math.floor(made_at) + seconds, UTC)
    return IntervalTrigger(seconds=seconds, start_date=first, timezone=UTC)


def _after(trigger: BaseTrigger, at: float, zone: ZoneInfo) -> float | None:
    if isinstance(trigger, CronTrigger):
        return _by_the_clock(trigger, at, zone)
    found: datetime | None = trigger.get_next_fire_time(
        None, datetime.fromtimestamp(at, UTC) + _TICK
    )
    return found.timestamp() if found is not None and found.timestamp() > at else None


def _by_the_clock(trigger: CronTrigger, at: float, zone: ZoneInfo) -> float | None:
    """The first moment after `at` at which the clock shows one of the trigger's times.

    A time that the clock skipped within the last day counts as the later one that stands for it, so it may yet be to
    come though the clock shows more; and of skipped times and those that stand beyond, the first is taken.
    """
    shows = wall(at, zone)
    skipped = max(timedelta(0), (shows - wall(at - _DAY_S, zone)) - timedelta(seconds=_DAY_S))
    first: float | None = None
    for time in _walls(trigger, shows - skipped):
        if first is not None and time >= wall(first, zone):
            break
        due = instant(time.date(), time.hour * 60 + time.minute, zone)
        if due > at and (first is None or due < first):
            first = due
    return first


def _walls(trigger: CronTrigger, after: datetime) -> Iterator[datetime]:
    """What the clock shows when the trigger fires, after it has shown `after`."""
    time = after.replace(tzinfo=UTC)
    while (time := trigger.get_next_fire_time(None, time + _TICK)) is not None:
        yield time.replace(tzinfo=None)
