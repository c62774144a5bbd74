"""Keys as they are pressed, where standard input is a terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Pressed = Callable[[float], str]
"""Waits so many seconds at most for a key; an empty text where none came."""

_A_KEY = 16
"""Bytes that one key sends at most."""


@contextmanager
def keys() -> Iterator[Pressed]:
    """The keys, one by one and unseen, until the end; Ctrl-C and Ctrl-Z do what they always do."""
    if not sys.stdin.isatty():
        yield _asleep
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda seconds: _pressed(terminal, seconds)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _pressed(terminal: int, seconds: float) -> str:
    ready, _, _ = select.select([terminal], [], [], seconds)
    return os.read(terminal, _A_KEY).decode(errors="replace") if ready else ""


def _asleep(seconds: float) -> str:
    time.sleep(seconds)
    return ""
