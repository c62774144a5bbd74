"""The words that times are written with: `22:30`, `mon-fri`, `1d 6h`."""

from __future__ import annotations

import re

from kitchen_core.explaining import shown

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of `date.weekday()`."""
MINUTES_A_DAY = 24 * 60
LONGEST_DAYS = 3650
_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60} | {
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}


class BadTime(ValueError):  # noqa: N818 - named by the condition
    """A text that tells no time; the message is one line, with examples of what does."""

    @classmethod
    def of(cls, text: str, kind: str, examples: str) -> BadTime:
        """The error of a text that is none of its kind."""
        return cls(f"{shown(text)} is no {kind}; write it as {examples}")


class Passed(BadTime):
    """A moment that is not to come any more."""


def minute_of_day(text: str) -> int | None:
    """Minutes since midnight of a time of day: 0 to 1440, which is `24:00`. None for another text."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2])
    at = hour * 60 + minute
    return at if minute < 60 and at <= MINUTES_A_DAY else None


def weekday(text: str) -> int | None:
    """The weekday of a name, Monday 0. None for another text."""
    for names in (DAYS, _FULL_NAMES):
        if text in names:
            return names.index(text)
    return None


def weekdays(text: str) -> frozenset[int] | None:
    """The weekdays of `mon-fri`, `sat,sun` or `fri-mon,wed`, Monday 0. None for another text."""
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = weekday(first), weekday(last if dash else first)
        if begin is None or end is None:
            return None
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)


def duration_s(text: str) -> float | None:
    """Seconds of `2h`, `1d 6h` or `90min`, of real time: a day is 24 hours. None for another text, for nothing at
    all, and for more than ten years.
    """
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text).strip():
        return None
    units = [unit if unit in _SECONDS else unit.removesuffix("s") for _, unit in parts]
    if any(unit not in _SECONDS for unit in units):
        return None
    seconds = sum(
        float(count) * _SECONDS[unit] for (count, _), unit in zip(parts, units, strict=True)
    )
    return seconds if 0 < seconds <= LONGEST_DAYS * 86400 else None
