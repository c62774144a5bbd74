"""Which process is which, across restarts of the daemon and of the machine.

A pid alone is reused; pid, start time and the machine's boot id together are not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STARTTIME = 19  # field 22 of /proc/PID/stat, counted from the one after the command's name
_STATE = 0
FIXED_AT_SPAWN = {
    "PYTHONHASHSEED": "0",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Of a process's environment: read once when the interpreter or OpenMP starts. Spinning OpenMP threads collapse
on a busy machine.
"""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process of one boot. started_at: seconds after boot."""

    pid: int
    started_at: float
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """The process that has this pid now. Raises ProcessLookupError."""
        return cls(pid, _start_time(pid), boot_id())

    def is_alive(self) -> bool:
        """Whether that very process still runs; a zombie does not."""
        try:
            return (
                self.boot_id == boot_id()
                and _start_time(self.pid) == self.started_at
                and _stat(self.pid)[_STATE] != "Z"
            )
        except ProcessLookupError:
            return False

    def signal(self, number: int) -> bool:
        """Send a signal, to that very process or to none; whether it was sent."""
        if not self.is_alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    async def wait_gone(self) -> None:
        """Return once the process has ended; it need not be a child."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(pidfd, gone.set)
        try:
            if self.is_alive():
                await gone.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)


def boot_id() -> str:
    """The kernel's random id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_time(pid: int) -> float:
    return int(_stat(pid)[_STARTTIME]) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name, which may hold anything."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return text.rpartition(")")[2].split()


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a child that leads a group of its own, and what it has started."""
    with suppress(ProcessLookupError):  # the group has ended
        os.killpg(process.pid, signal.SIGKILL)
