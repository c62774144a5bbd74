"""How far a run is, and how long the rest will take."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

REPORT_SECONDS = 0.25


@dataclass
class Progress:
    """Steps done since this process began to step; the time left follows from their mean."""

    _started_at: float = field(default_factory=time.monotonic)
    _started_step: int = 0
    _reported_at: float = 0.0

    def begin(self, step: int) -> None:
        """The step loop starts at `step`."""
        self._started_at = time.monotonic()
        self._started_step = step
        self._reported_at = 0.0

    def due(self) -> bool:
        """Whether it is time to report again."""
        now = time.monotonic()
        if now - self._reported_at < REPORT_SECONDS:
            return False
        self._reported_at = now
        return True

    def seconds_left(self, step: int, total_steps: int) -> float | None:
        """The mean time of a step so far times the steps left; None before the first step."""
        done = step - self._started_step
        if done <= 0:
            return None
        return (time.monotonic() - self._started_at) / done * (total_steps - step)
