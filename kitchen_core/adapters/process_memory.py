"""The memory of this process."""

from __future__ import annotations

import resource
import sys


def peak_process_bytes() -> int:
    """The most physical memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
