"""A moment to come, as people write it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from kitchen_core.explaining import shown
from kitchen_daemon.scheduling.words import BadTime, Passed, duration_s, minute_of_day, weekday
from kitchen_daemon.scheduling.zones import instant, local_day, told

EXAMPLES = "22:00, tomorrow 06:30, fri 20:00, 2026-12-24 22:00 or in 2h"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def moment(text: str, now: float, zone: ZoneInfo) -> float:
    """When that is, in seconds since the epoch, by the clock of a zone.

    `22:00` and `fri 20:00` are the next ones; `in 1d` is 24 hours. Raises BadTime where the text tells no moment, and
    Passed where it tells one that is over.
    """
    words = text.strip().lower().split()
    at = _moment(words, now, zone)
    if at is None:
        raise BadTime.of(text, "time", EXAMPLES)
    if at <= now:
        raise Passed(
            f"{shown(text)} is {told(at, zone)} and has passed; it is {told(now, zone)} in {zone.key}"
        )
    return at


def _moment(words: list[str], now: float, zone: ZoneInfo) -> float | None:
    today = local_day(now, zone)
    match words:
        case ["in", *rest]:
            seconds = duration_s(" ".join(rest))
            return None if seconds is None else now + seconds
        case [clock] if (minute := minute_of_day(clock)) is not None:
            return _next(minute, [today + timedelta(days=ahead) for ahead in range(3)], now, zone)
        case [name, clock] if (minute := minute_of_day(clock)) is not None:
            days = _days(name, today)
            return _next(minute, days, now, zone) if days else None
    return _iso(" ".join(words), zone)


def _days(name: str, today: date) -> list[date]:
    """The days that a name may mean, in order; none where it is no day's."""
    if name in ("today", "tonight"):
        return [today]
    if name == "tomorrow":
        return [today + timedelta(days=1)]
    if (wanted := weekday(name)) is not None:
        ahead = (wanted - today.weekday()) % 7
        return [today + timedelta(days=ahead), today + timedelta(days=ahead + 7)]
    if _DATE.fullmatch(name):
        try:
            return [date.fromisoformat(name)]
        except ValueError:  # the 30th of February
            return []
    return []


def _next(minute: int, days: list[date], now: float, zone: ZoneInfo) -> float:
    """The first of these that is to come, else the last."""
    times = [instant(day, minute, zone) for day in days]
    return next((at for at in times if at > now), times[-1])


def _iso(text: str, zone: ZoneInfo) -> float | None:
    """ISO 8601, with its own offset or without one."""
    if not _DATE.match(text):
        return None
    try:
        at = datetime.fromisoformat(text.replace(" +", "+").upper())
        return (at if at.tzinfo else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None
