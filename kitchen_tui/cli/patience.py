"""Trying again until it works or the time is up."""

from __future__ import annotations

import time
from collections.abc import Iterator

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.5


def attempts(seconds: float) -> Iterator[None]:
    """One turn an attempt, with growing pauses between them, for `seconds`; at least one turn."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_S
    yield
    while (left := deadline - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE_S)
        yield
