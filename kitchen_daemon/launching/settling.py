"""Reading a recipe that somebody may be saving: what is taken was written to its end.

A reading is good where, when it is over, every file that it took is on the disk as it was taken, nobody has it open
for writing, and it has been left alone for a moment. So the first half of a file is never taken for all of it, be it
valid Python, as long as its writer keeps it open or goes on within that moment.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.workflows.reading import RecipeReading
from kitchen_daemon.launching.checking import READ_SECONDS, Unread, read_apart

QUIET_S = 0.06
"""How long files that are read together are to be left alone. Editors write a file in much less."""

PATIENCE_S = 1.5
"""How long to wait for that."""

_FIRST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 0.1


class Unsettled(RecipeError):  # noqa: N818 - named by the condition
    """A recipe that is being written for longer than one waits."""


def read_settled(
    path: Path,
    preset: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    seconds: float = READ_SECONDS,
    given_up: int | None = None,
) -> RecipeReading:
    """`read_apart` of what was written to its end. Blocks for PATIENCE_S beyond the reading.

    Raises what read_apart does, for files that are settled too, and Unsettled.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        _until_closed([path], deadline)
        taken = {path: _bytes_of(path)}
        reading, error = None, None
        try:
            reading = read_apart(path, preset, overrides, seconds=seconds, given_up=given_up)
            folder = Path(reading.path).parent
            taken |= {folder / name: content for name, content in reading.sources.items()}
        except Unread as unread:
            error = unread
            taken |= unread.taken
        except ConfigError as wrong:
            error = wrong
        if not _is_left_alone(taken, deadline):
            continue
        if reading is not None:
            return reading
        if error is not None:
            raise error


def is_being_written(file: Path) -> bool:
    """Whether a process has a file open for writing: the kernel grants no read lease on it then. False where it
    can't tell, as for others' files and network file systems.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # a writer who comes in this moment is told by signal; by default one that would end this process
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False


def check_not_being_written(folders: Iterable[Path], name: str) -> None:
    """Raise Unsettled where a recipe is empty only because somebody has begun to write it."""
    for file in (folder / f"{name}.py" for folder in folders):
        if is_being_written(file):
            raise _unsettled(file)


def _is_left_alone(taken: Mapping[Path, bytes | None], deadline: float) -> bool:
    """Wait until the files have been quiet for long enough; whether they are still as they were taken."""
    while True:
        _until_closed(taken, deadline)
        if any(_bytes_of(file) != content for file, content in taken.items()):
            return False
        rest = max(_rest_s(file) for file in taken)
        if rest <= 0:
            return True
        time.sleep(rest)


def _until_closed(files: Iterable[Path], deadline: float) -> None:
    """Wait until nobody has a file open for writing. Raises Unsettled."""
    pause = _FIRST_PAUSE_S
    for file in files:
        while is_being_written(file):
            if time.monotonic() > deadline:
                raise _unsettled(file)
            time.sleep(pause)
            pause = min(1.5 * pause, _LONGEST_PAUSE_S)


def _unsettled(file: Path) -> Unsettled:
    return Unsettled(f"{file}: a program is still writing it; try again when it is done")


def _rest_s(file: Path) -> float:
    """How much longer a file has to be left alone. A change in the future is a clock's, and no reason to wait."""
    try:
        age = time.time() - file.stat().st_ctime
    except OSError:
        return 0
    return QUIET_S - age if age >= 0 else 0


def _bytes_of(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
