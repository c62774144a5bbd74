"""A little space set aside, so that on a full disk there is room to say so."""

from __future__ import annotations

import os

from kitchen_core.home import Home

RESERVE_BYTES = 4 * 1024 * 1024


def keep_reserve(home: Home) -> None:
    """Set the space aside where there is some; its blocks are written, for holes reserve
    nothing.
    """
    path = home.root / "reserve"
    if path.exists() and path.stat().st_size == RESERVE_BYTES:
        return
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except OSError:
        path.unlink(missing_ok=True)


def release_reserve(home: Home) -> None:
    """Give the space free."""
    (home.root / "reserve").unlink(missing_ok=True)
