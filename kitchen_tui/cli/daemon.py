"""Reaching the daemon, and starting it when none runs."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen_tui.cli.errors import Exit, Failure
from kitchen_tui.cli.patience import attempts

if TYPE_CHECKING:
    from kitchen_core.home import Home
    from kitchen_daemon.client import Client

START_SECONDS = 60.0
"""A daemon that has died is noticed at once; one on a busy machine needs its time."""
STOP_SECONDS = 10.0


@contextmanager
def connected(*, start: bool = True) -> Iterator[Client]:
    """A client of this home's daemon, which is started if `start` and none runs.

    What the daemon refuses, and its absence, become Failures with their exit codes.
    """
    from kitchen_core.home import Home
    from kitchen_daemon.client import Client, Refused, Unreachable

    home = Home.find()
    if start:
        ensure_running(home)
    try:
        with Client(home) as client:
            yield client
    except Refused as refusal:
        wrong = refusal.status < 500
        code = Exit.WRONG_USAGE if wrong else Exit.RUN_FAILED
        hint = refusal.hint or ("" if wrong else f"the daemon's log: {home.daemon_log}")
        raise Failure(refusal.message, hint, code) from None
    except Unreachable as error:
        raise unreachable(str(error)) from None


def unreachable(message: str) -> Failure:
    """The failure that no daemon answers."""
    return Failure(message, "start it with: kitchen up", Exit.UNREACHABLE)


def answers(home: Home) -> bool:
    """Whether something listens on the home's socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(home.socket))
        except OSError:
            return False
    return True


def ensure_running(home: Home) -> bool:
    """Start the daemon unless one answers; whether it was started. Raises Failure with its last words."""
    if answers(home):
        return False
    try:
        home.make()
    except OSError as error:
        hint = "give another folder by KITCHEN_HOME"
        raise Failure(f"{home.root} can't be the kitchen's home: {error}", hint) from None
    with _starting(home):
        if answers(home):
            return False
        _start(home)
    return True


def wait_until_ended(pid: int) -> bool:
    """Whether the process ends in time. Its socket falls silent before it lets go of the home."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ended, _, _ = select.select([handle], [], [], STOP_SECONDS)
    finally:
        os.close(handle)
    return bool(ended)


@contextmanager
def _starting(home: Home) -> Iterator[None]:
    """One command at a time starts a daemon; the others wait and find it running."""
    with (home.runtime / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(home: Home) -> None:
    home.daemon_log.touch()
    said_before = home.daemon_log.stat().st_size
    daemon = _spawn(home)
    for _ in attempts(START_SECONDS):
        if answers(home):
            return
        if daemon.poll() is not None:
            words = _last_line(home.daemon_log, said_before) or f"exit code {daemon.returncode}"
            raise _not_started(home, f"the daemon ended as it started: {words}")
    raise _not_started(home, f"the daemon did not answer within {START_SECONDS:.0f} s")


def _spawn(home: Home) -> subprocess.Popen[bytes]:
    import kitchen_daemon

    # `-m` puts the working folder first on the path, and the user's may hold a `datasets.py`.
    packages = Path(kitchen_daemon.__file__).resolve().parent.parent
    with home.daemon_log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "kitchen_daemon.main"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=packages,
            env={**os.environ, "KITCHEN_HOME": str(home.root)},
            start_new_session=True,
        )


def _not_started(home: Home, message: str) -> Failure:
    return Failure(message, f"read {home.daemon_log}", Exit.UNREACHABLE)


def _last_line(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
