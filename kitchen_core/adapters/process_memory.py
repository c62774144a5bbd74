"""The memory of this process."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LARGE_BYTES = 2**19
_KEPT_BYTES = 2**26


def peak_process_bytes() -> int:
    """The most physical memory that this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def give_back_what_is_large() -> None:
    """Let memory of half a megabyte and more go back to the machine when it is freed.

    glibc raises its own limit up to 32 MB as large pieces are freed, and keeps what is smaller in heaps full of
    holes: a model's gradients and activations then take up to twice what they are. Other C libraries have no such
    limit to set.
    """
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_what_is_free() -> None:
    """Return to the machine what this process has freed and glibc still holds."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
