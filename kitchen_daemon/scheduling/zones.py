"""Time zones, and what the clock on the wall means in them.

Of a local time that clocks skip in spring an hour's later one is meant (02:30 is 03:30 that day); of one that
comes twice in autumn the first. So every time of day happens exactly once a day.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal

from kitchen_core.explaining import shown
from kitchen_daemon.scheduling.words import MINUTES_A_DAY, BadTime


def machine_zone() -> str:
    """The IANA name of this machine's time zone. Raises BadTime where it has no name."""
    try:
        name = tzlocal.get_localzone_name()
    except ZoneInfoNotFoundError:  # several that contradict each other
        name = None
    if not name:
        raise BadTime(
            "this machine's time zone has no name; set it (`timedatectl set-timezone Europe/Vienna`), "
            "or give one with --timezone"
        )
    return name


def zone_named(name: str | None) -> ZoneInfo:
    """The zone of an IANA name, this machine's for None. Raises BadTime."""
    name = machine_zone() if name is None else name
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadTime.of(name, "time zone", "Europe/Vienna, America/New_York or UTC") from None


def instant(day: date, minute: int, zone: ZoneInfo) -> float:
    """When the clock shows this minute of this day (0 to 1440), in seconds since the epoch."""
    days, minute = divmod(minute, MINUTES_A_DAY)
    clock = time(minute // 60, minute % 60)
    try:
        return datetime.combine(day + timedelta(days=days), clock, zone).timestamp()
    except OverflowError:
        raise BadTime(f"{shown(str(day))} is too far away") from None


def local_day(at: float, zone: ZoneInfo) -> date:
    """The day that it is there."""
    return datetime.fromtimestamp(at, zone).date()


def wall(at: float, zone: ZoneInfo) -> datetime:
    """What the clock there shows, without the zone."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)


def told(at: float, zone: ZoneInfo) -> str:
    """A moment as a message tells it: `Tue 2026-11-24 22:00`."""
    return f"{datetime.fromtimestamp(at, zone):%a %Y-%m-%d %H:%M}"
