"""How far a run is, and how long the rest will take. Times are seconds on one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass

REPORT_SECONDS = 0.25


@dataclass
class Progress:
    """The mean time of the steps that this process has done gives the time left.

    The clock starts when the first step is done: that one also carries what comes once, such as the
    first evaluation and a kernel's first use.
    """

    _started_step: int = 0
    _clock: tuple[int, float] | None = None
    _reported_at: float | None = None

    def begin(self, step: int) -> None:
        """The step loop starts at `step`."""
        self._started_step = step
        self._clock = self._reported_at = None

    def due(self, now: float) -> bool:
        """Whether it is time to report again."""
        if self._reported_at is not None and now - self._reported_at < REPORT_SECONDS:
            return False
        self._reported_at = now
        return True

    def seconds_left(self, step: int, total_steps: int, now: float) -> float | None:
        """The mean time of a step so far times the steps left; None until two steps are done."""
        if step <= self._started_step:
            return None
        if self._clock is None:
            self._clock = (step, now)
        first_step, first_at = self._clock
        if step == first_step:
            return None
        return (now - first_at) / (step - first_step) * (total_steps - step)
