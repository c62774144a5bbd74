"""Windows: hours in which runs may run, and what they are at a moment.

A window opens and closes as a schedule fires: of a time that the clock skips, an hour later; of one that it shows
twice, the first time. So `22:00-02:30` closes once in the night with two half past twos.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kitchen_core.store import Store, WindowRecord
from kitchen_daemon.queueing.states import WindowState
from kitchen_daemon.scheduling.words import MINUTES_A_DAY, BadTime, minute_of_day, weekdays
from kitchen_daemon.scheduling.zones import instant, local_day, zone_named

logger = logging.getLogger(__name__)

EXAMPLES = (
    "22:00-06:00, mon-fri 20:00-07:30 or sat,sun 00:00-24:00; several with a semicolon between"
)
_EVERY_DAY = frozenset(range(7))
_BEFORE = 2
"""Days back at which something may have opened that is open still: its own night, and a day that a zone skipped."""
_LOOKS_AHEAD = (9, 400)
"""Days. A week tells all but whether clock changes ever close what is always open."""


class Span(NamedTuple):
    """Hours that begin on certain weekdays, Monday 0. In minutes since that day's midnight; the end may lie in the
    next.
    """

    days: frozenset[int]
    begin: int
    end: int


class Stretch(NamedTuple):
    """From one moment until another, in seconds since the epoch."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Open:
    """Whether a window is open, from the moment asked about until `changes_at`; None: for a year at least."""

    is_open: bool
    changes_at: float | None


@dataclass(frozen=True)
class Hours:
    """When a window is open, by the clock of a zone."""

    spans: tuple[Span, ...]
    zone: ZoneInfo

    def is_open(self, at: float) -> bool:
        """Whether it is open at a moment."""
        return self.at(at).is_open

    def at(self, at: float) -> Open:
        """How it is at a moment, and when that changes."""
        today = local_day(at, self.zone)
        is_open = False
        for ahead in _LOOKS_AHEAD:
            begin, end = (today + timedelta(days=days) for days in (-_BEFORE, ahead))
            seen_until = instant(end - timedelta(days=1), 0, self.zone)
            stretches = _merged(sorted(self._beginning(begin, end)))
            next_ = next((each for each in stretches if each.end > at), None)
            is_open = next_ is not None and next_.begin <= at
            if next_ is not None:
                changes_at = next_.end if is_open else next_.begin
                if changes_at < seen_until:
                    return Open(is_open, changes_at)
        return Open(is_open, None)

    def _beginning(self, first: date, last: date) -> Iterator[Stretch]:
        """The stretches that begin on these days; the last is left out."""
        for ahead in range((last - first).days):
            day = first + timedelta(days=ahead)
            for span in self.spans:
                if day.weekday() in span.days:
                    begin, end = (instant(day, minute, self.zone) for minute in span[1:])
                    if begin < end:  # a clock change may leave nothing of it
                        yield Stretch(begin, end)


@lru_cache(maxsize=256)
def hours(text: str, zone: ZoneInfo) -> Hours:
    """The hours that a text tells. Raises BadTime."""
    return Hours(tuple(_span(part, text) for part in text.strip().lower().split(";")), zone)


def window_states(store: Store, now: float) -> dict[str, WindowState]:
    """Every window as it is now, by name."""
    return states_of(store.list_windows(), now)


def states_of(windows: Iterable[WindowRecord], at: float) -> dict[str, WindowState]:
    """Windows as they are at a moment, by name. One whose hours can't be read any more is closed."""
    return {
        window.name: WindowState(*_now(window.hours, window.timezone, at), window.at_close)
        for window in windows
    }


def _now(text: str, zone: str, now: float) -> tuple[bool, float | None]:
    try:
        found = hours(text, zone_named(zone)).at(now)
    except BadTime as error:
        logger.error("a window stays closed: %s", error)
        return False, None
    return found.is_open, found.changes_at


def _span(part: str, text: str) -> Span:
    *names, clocks = part.split() or [""]
    days = weekdays(names[0]) if names else _EVERY_DAY
    first, _, last = clocks.partition("-")
    begin, end = minute_of_day(first), minute_of_day(last)
    if days is None or len(names) > 1 or begin is None or end is None or begin == MINUTES_A_DAY:
        raise BadTime.of(text, "window", EXAMPLES)
    if begin == end:
        raise BadTime(f"'{clocks}' begins where it ends; a whole day is 00:00-24:00")
    return Span(days, begin, end if end > begin else end + MINUTES_A_DAY)


def _merged(stretches: list[Stretch]) -> list[Stretch]:
    """Those that touch as one."""
    merged: list[Stretch] = []
    for stretch in stretches:
        if merged and stretch.begin <= merged[-1].end:
            merged[-1] = Stretch(merged[-1].begin, max(merged[-1].end, stretch.end))
        else:
            merged.append(stretch)
    return merged
