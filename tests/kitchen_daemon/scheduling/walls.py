"""A slow, second way to tell what clocks show: minute by minute, by looking at every one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE_S = 60.0
_MINUTE = timedelta(minutes=1)
ZONES = (
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",  # changes by half an hour
    "Asia/Beirut",  # skips midnight
    "America/Havana",  # shows midnight twice
    "Pacific/Apia",  # skipped a whole day in 2011
    "Asia/Kathmandu",  # 5:45 ahead, no changes
)


class Walls:
    """What a clock shows between two moments, and at which of them a time of day happens: when it is shown first, or,
    where it is skipped, as long after the jump as it would have come.
    """

    def __init__(self, zone: ZoneInfo, begin: float, minutes: int) -> None:
        self.happens: dict[float, list[datetime]] = {}
        shown: dict[datetime, float] = {}
        before: datetime | None = None
        for number in range(minutes):
            at = begin + number * MINUTE_S
            time = datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)
            shown.setdefault(time, at)
            if before is not None and time - before > _MINUTE:
                jump = time - before - _MINUTE
                skipped = before + _MINUTE
                while skipped < time:
                    shown.setdefault(skipped, at + (skipped + jump - time).total_seconds())
                    skipped += _MINUTE
            before = time
        for time, at in shown.items():
            self.happens.setdefault(at, []).append(time)

    def moments(self, fits: Callable[[datetime], bool]) -> list[float]:
        """When something happens that the clock's time fits, in order."""
        return sorted(at for at, times in self.happens.items() if any(map(fits, times)))
