"""What workers printed."""

from __future__ import annotations

from collections import deque
from pathlib import Path

TAIL_LINES = 20


def last_lines(path: Path, count: int = TAIL_LINES) -> list[str]:
    """The last lines of a log; none where there is no log."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return [line.rstrip("\n") for line in deque(lines, maxlen=count)]
    except FileNotFoundError:
        return []
