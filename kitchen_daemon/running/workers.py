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

from kitchen_core.home import Home
from kitchen_daemon.process import FIXED_AT_SPAWN, ProcessIdentity
from kitchen_daemon.running.lease import READY, Lease, send_lease

CONTROL_FD = "KITCHEN_CONTROL_FD"


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


@dataclass(frozen=True)
class _Waiting:
    """A worker without a run: the socket to it, and the task that ends when it has said ready."""

    worker: Worker
    control: socket.socket
    ready: asyncio.Task[None]


class Standby:
    """The worker that waits for the next run."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._waiting: _Waiting | None = None
        self._closed = False

    @property
    def is_ready(self) -> bool:
        """Whether a lease would begin at once."""
        return self._waiting is not None and self._waiting.ready.done()

    def spawn(self) -> None:
        """Start a worker, unless one waits already or there shall be none any more."""
        if self._waiting is not None or self._closed:
            return
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        environ = os.environ | FIXED_AT_SPAWN | {CONTROL_FD: str(theirs.fileno())}
        with self._home.daemon_log.open("ab") as log:
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
        worker = Worker(ProcessIdentity.of(child.pid), child)
        self._waiting = _Waiting(worker, ours, asyncio.ensure_future(_said_ready(ours)))

    async def take(self) -> Worker:
        """The ready worker, spawned if need be; it stays the standby until it is leased.

        Raises OSError if it died while it started.
        """
        if self.is_ready and self._waiting and not self._waiting.worker.identity.is_alive():
            self.drop()
        self.spawn()
        waiting = self._waiting
        if waiting is None:
            raise ConnectionAbortedError("the daemon is ending")
        try:
            await asyncio.shield(waiting.ready)
        except OSError:
            if self._waiting is waiting:
                self.drop()
            raise
        return waiting.worker

    def lease(self, lease: Lease) -> None:
        """Give the ready worker its run; there is no standby afterwards.

        Raises OSError where it has died.
        """
        assert self._waiting is not None
        waiting, self._waiting = self._waiting, None
        with waiting.control as control:
            control.setblocking(True)
            send_lease(control, lease)

    def drop(self) -> None:
        """End the standby: it has no run, so nothing is lost."""
        if self._waiting is None:
            return
        waiting, self._waiting = self._waiting, None
        waiting.ready.cancel()
        waiting.control.close()
        waiting.worker.kill()
        if waiting.worker.child is not None:
            waiting.worker.child.wait()

    def close(self) -> None:
        """End the standby for good."""
        self._closed = True
        self.drop()


async def _said_ready(control: socket.socket) -> None:
    """Return once the worker has said that it is ready. Raises ConnectionResetError where it died."""
    said = await asyncio.get_running_loop().sock_recv(control, len(READY))
    if said != READY:
        raise ConnectionResetError("a worker died while it started; see the daemon's log")
