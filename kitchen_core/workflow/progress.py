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
    _turns: int = 0
    _first_turn: float = 0.0
    _later_turns: float = 0.0

    def turned(self, seconds: float) -> None:
        """A step took so long, without what is between two."""
        if self._turns:
            self._later_turns += seconds
        else:
            self._first_turn = seconds
        self._turns += 1

    @property
    def seconds_a_step(self) -> float | None:
        """The mean time of a step, evaluations and checkpoints apart, and apart from the first step where there
        are others; None before there is one.
        """
        if self._turns <= 1:
            return self._first_turn if self._turns else None
        return self._later_turns / (self._turns - 1)

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
