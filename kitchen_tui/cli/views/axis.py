"""A stretch of time, drawn over the columns of a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTE, _HOUR = 60.0, 3600.0
_BETWEEN = (
    *(_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, 24 * _HOUR),
)
"""Seconds that may lie between two marks."""
_MARK = len("22:00  ")


@dataclass(frozen=True)
class Axis:
    """From one time to another, in seconds since the epoch, over so many columns."""

    begins_at: float
    ends_at: float
    columns: int

    def column(self, at: float, *, end: bool = False) -> int:
        """Where a time is drawn; what ends right between two columns has the first."""
        share = (at - self.begins_at) / max(self.ends_at - self.begins_at, 1.0)
        return min(max(int(share * self.columns - (1e-9 if end else 0)), 0), self.columns - 1)

    def marks(self) -> Iterator[tuple[int, str]]:
        """Columns and what stands above them: full hours or minutes by the clock here, midnight as the day."""
        for at in self._full(self._between_s()):
            then = time.localtime(at)
            words = time.strftime("%a" if then[3:5] == (0, 0) else "%H:%M", then)
            column = self.column(at)
            if column + len(words) <= self.columns:
                yield column, words

    def header(self) -> str:
        """The marks in a line."""
        line = [" "] * self.columns
        for column, words in self.marks():
            line[column : column + len(words)] = words
        return "".join(line)

    def _between_s(self) -> float:
        span_s = self.ends_at - self.begins_at
        fitting = (each for each in _BETWEEN if span_s / each * _MARK <= self.columns)
        return next(fitting, _BETWEEN[-1])

    def _full(self, between_s: float) -> Iterator[float]:
        """Times so far apart, counted from midnight: by the clock, where an hour is left out as summer
        time begins.
        """
        midnight = datetime.fromtimestamp(self.begins_at).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        at, step = midnight, timedelta(seconds=between_s)
        while at.timestamp() <= self.ends_at:
            exists = datetime.fromtimestamp(at.timestamp()) == at
            if exists and at.timestamp() >= self.begins_at:
                yield at.timestamp()
            at += step
