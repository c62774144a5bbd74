"""The room on one GPU."""

from __future__ import annotations

import math

from kitchen_core.needs import Needs
from kitchen_daemon.queueing.states import Gpu

BESIDE_SCREENS_BYTES = 10**9
"""What others may use of a GPU that a run of unknown size gets: what a desktop draws with."""


class GpuRoom:
    """What our runs have of a GPU, and what is left.

    users: our runs by name, and the share of its memory that each has; None where it has all of it. is_taken: one
    of them has all. joined_at: when the last of them came. kept_for: the first run that waits for it.
    unforeign_bytes: what others leave of its memory.
    """

    __slots__ = (
        "free_bytes",
        "gpu",
        "is_taken",
        "joined_at",
        "kept_for",
        "unforeign_bytes",
        "users",
    )

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.users: list[tuple[str, int | None]] = []
        self.is_taken = False
        self.joined_at = -math.inf
        self.kept_for: str | None = None
        self.unforeign_bytes = max(gpu.memory_bytes - gpu.foreign_bytes, 0)
        self.free_bytes = self.unforeign_bytes

    def could_hold(self, needs: Needs) -> bool:
        """Whether a run could be here if none of ours were."""
        if needs.memory_bytes is None:
            return self.gpu.foreign_bytes <= BESIDE_SCREENS_BYTES
        return needs.memory_bytes <= self.unforeign_bytes

    def can_hold(self, needs: Needs) -> bool:
        """Whether a run can be here now."""
        if not self.users:
            return self.could_hold(needs)
        if self.is_taken or not needs.shares or needs.memory_bytes is None:
            return False
        return needs.memory_bytes <= self.free_bytes

    def take(self, run: str, share: int | None, at: float) -> None:
        """A run is here. share: its part of the memory, None where it has all."""
        self.users.append((run, share))
        self.joined_at = max(self.joined_at, at)
        self.is_taken = self.is_taken or share is None
        self.free_bytes = 0 if share is None else max(self.free_bytes - share, 0)

    def wait(self) -> tuple[bool, float, int, int]:
        """How long one would wait for it, to be compared."""
        return (self.kept_for is not None, self.joined_at, -self.unforeign_bytes, self.gpu.index)
