"""Worker processes as the daemon sees them: spawned ahead, leased to a run, watched until they end.

A worker is a session of its own and outlives the daemon. One is kept on standby with everything
slow imported.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from kitchen_core.home import Home
from kitchen_daemon.lease import READY, Lease, send_lease
from kitchen_daemon.process import ProcessIdentity

CONTROL_FD = "KITCHEN_CONTROL_FD"
FIXED_AT_SPAWN = {
    "PYTHONHASHSEED": "0",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Read once when the interpreter or OpenMP starts.

Spinning OpenMP threads collapse on a busy machine.
"""


@dataclass
class Worker:
    """One worker process. child is None for one that an earlier daemon spawned."""

    identity: ProcessIdentity
    child: subprocess.Popen[bytes] | None = None

    async def wait(self) -> int | None:
        """Its exit code once it has ended; None where only its parent could know."""
        await self.identity.wait_gone()
        return self.child.wait() if self.child else None

    def ask_to_stop(self) -> None:
        """SIGTERM, and SIGCONT in case it was stopped: it reads the run's intent."""
        self.identity.signal(signal.SIGTERM)
        self.identity.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self.identity.signal(signal.SIGKILL)


class Standby:
    """The worker that waits for the next run."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._worker: Worker | None = None
        self._control: socket.socket | None = None
        self._ready = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether a lease would begin at once."""
        return self._ready.is_set()

    def spawn(self) -> None:
        """Start a worker, unless one waits already."""
        if self._worker is not None:
            return
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environ = os.environ | FIXED_AT_SPAWN | {CONTROL_FD: str(theirs.fileno())}
        with _appending(self._home.daemon_log) as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "kitchen_daemon.worker"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        theirs.close()
        self._worker, self._control = Worker(ProcessIdentity.of(child.pid), child), ours

    async def take(self) -> Worker:
        """The ready worker, spawned if need be; it stays the standby until it is leased.

        Raises OSError if it died.
        """
        self.spawn()
        assert self._worker is not None
        assert self._control is not None
        if not self.is_ready:
            said = await asyncio.get_running_loop().sock_recv(self._control, len(READY))
            if said != READY:
                self.drop()
                raise ConnectionResetError("a worker died while it started; see the daemon's log")
            self._ready.set()
        return self._worker

    def lease(self, lease: Lease) -> None:
        """Give the ready worker its run; there is no standby afterwards.

        Raises OSError where it has died.
        """
        assert self._control is not None
        try:
            self._control.setblocking(True)
            send_lease(self._control, lease)
        finally:
            self._forget()

    def drop(self) -> None:
        """End the standby: it has no run, so nothing is lost."""
        worker = self._worker
        self._forget()
        if worker is not None and worker.child is not None:
            worker.kill()
            worker.child.wait()

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
        self._worker = self._control = None
        self._ready.clear()


def _appending(path: Path):  # noqa: ANN202 - a file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")
