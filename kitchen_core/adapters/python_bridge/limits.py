"""What calls may take."""

from __future__ import annotations

import os
from dataclasses import dataclass

from kitchen_core.adapters.python_bridge.failures import invalid


@dataclass(frozen=True, slots=True)
class Limits:
    """How many processes there are and what a call in one may take.

    workers: None takes half the cores, eight at most: the others compute. timeout_s: of wall-clock time.
    memory_mb: address space beyond what the process has when it is ready. calls_per_worker: 0 keeps a
    process for good. Raises InvalidRequest for a limit that allows nothing.
    """

    workers: int | None = None
    timeout_s: float = 3.0
    memory_mb: int = 1024
    calls_per_worker: int = 2000

    def __post_init__(self) -> None:
        for name, value, least in (
            ("workers", self.num_workers, 1),
            ("memory_mb", self.memory_mb, 1),
            ("calls_per_worker", self.calls_per_worker, 0),
        ):
            if value < least:
                raise invalid(f"{name} is {value}, but must be at least {least}")
        if not self.timeout_s > 0:
            raise invalid(f"timeout_s is {self.timeout_s:g}, but must be more than 0")

    @property
    def num_workers(self) -> int:
        """How many processes there are."""
        if self.workers is not None:
            return self.workers
        return max(1, min(8, len(os.sched_getaffinity(0)) // 2))
