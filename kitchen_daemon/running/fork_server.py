"""The fork server as the daemon sees it: started ahead, asked for a worker when a run is due."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from kitchen_core.home import Home
from kitchen_daemon.process import FIXED_AT_SPAWN, ProcessIdentity
from kitchen_daemon.running.forking import CONTROL_FD, LONGEST, READY
from kitchen_daemon.running.lease import Lease, send_lease
from kitchen_daemon.running.workers import Worker

logger = logging.getLogger(__name__)

FORK_WITHIN_S = 60.0
"""It takes milliseconds; on a machine that is short of memory, seconds."""


@dataclass(frozen=True)
class WaitingWorker:
    """A worker without a run. It ends with the block, unless it was given one."""

    worker: Worker
    control: socket.socket

    def lease(self, lease: Lease) -> None:
        """Give it its run. Raises OSError where it has died."""
        self.control.setblocking(True)
        send_lease(self.control, lease)

    def __enter__(self) -> WaitingWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.control.close()


class ForkServer:
    """Starts the process that workers are forked from, and starts it anew where it has died."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._process: _Process | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a run would begin at once."""
        return self._process is not None and self._process.is_ready

    @property
    def pid(self) -> int | None:
        """The process's, where one runs."""
        return None if self._process is None or self._process.is_over else self._process.pid

    async def until_ready(self) -> None:
        """Return once a run would begin at once, or the process has died."""
        await self.start().until_started()

    def start(self) -> _Process:
        """Start the process, unless it runs."""
        if self._process is None or self._process.is_over:
            self.close()
            self._process = _Process(self._home)
        return self._process

    async def fork(self) -> WaitingWorker:
        """A new worker. Raises OSError where it or the fork server died, or took too long."""
        try:
            return await self.start().fork()
        except TimeoutError:
            self.close()  # it makes no workers; the next may
            raise

    def close(self) -> None:
        """End the process; workers that have a run go on."""
        if self._process is not None:
            self._process.end()
            self._process = None


class _Process:
    def __init__(self, home: Home) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        with theirs, home.daemon_log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "kitchen_daemon.worker"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | FIXED_AT_SPAWN | {CONTROL_FD: str(theirs.fileno())},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._started = asyncio.Event()  # or will never start
        self._exit_codes: dict[int, asyncio.Future[int | None]] = {}
        self._forks = 0
        self.is_over = False
        self._listening = asyncio.ensure_future(self._listen())

    @property
    def is_ready(self) -> bool:
        return self._started.is_set() and not self.is_over

    @property
    def pid(self) -> int:
        return self._child.pid

    async def until_started(self) -> None:
        await self._started.wait()

    async def fork(self) -> WaitingWorker:
        await self._started.wait()
        if self.is_over:
            raise ConnectionResetError("the fork server died; see the daemon's log")
        self._forks += 1
        exit_code = asyncio.get_running_loop().create_future()
        self._exit_codes[self._forks] = exit_code
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                socket.send_fds(self._control, [b"%d" % self._forks], [theirs.fileno()])
            pid = await _pid_from(ours)
            if not pid:
                raise ConnectionResetError("a worker died while it started; see the daemon's log")
            return WaitingWorker(Worker(ProcessIdentity.of(int(pid)), exit_code), ours)
        except BaseException:
            ours.close()
            raise

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionResetError):
            while said := await loop.sock_recv(self._control, LONGEST):
                if said == READY:
                    self._started.set()
                    continue
                number, exit_code = map(int, said.split())
                self._exit_codes.pop(number).set_result(exit_code)
        logger.error("the fork server ended with exit code %d", self._child.wait())
        self._lost()

    def end(self) -> None:
        self._listening.cancel()
        asyncio.get_running_loop().remove_reader(self._control)  # the next file may have its number
        self._child.kill()
        self._child.wait()
        self._control.close()
        self._lost()

    def _lost(self) -> None:
        """From here on nobody can know how a worker ends."""
        self.is_over = True
        self._started.set()
        for exit_code in self._exit_codes.values():
            exit_code.set_result(None)
        self._exit_codes.clear()


async def _pid_from(worker: socket.socket) -> bytes:
    """What a worker says first; nothing where it died. Raises TimeoutError."""
    try:
        async with asyncio.timeout(FORK_WITHIN_S):
            return await asyncio.get_running_loop().sock_recv(worker, LONGEST)
    except TimeoutError:
        raise TimeoutError(f"the fork server made no worker within {FORK_WITHIN_S:.0f} s") from None
