"""What the daemon takes of the machine while it is watched: memory and CPU time, process by process."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

EVERY_S = 1.0
_NAMES = {
    "kitchen_daemon.worker": "fork server of workers",
    "multiprocessing.forkserver": "fork server that reads recipes",
    "multiprocessing.resource_tracker": "resource tracker of that",
}


@dataclass
class Use:
    """What one process took. rss, pss: the most, in bytes; PSS shares pages among those that have them mapped.
    cpu: cores, over the time it was watched.
    """

    name: str
    rss: int = 0
    pss: int = 0
    cpu: float = 0.0


class Watch:
    """Watches a process and its children for a block. files: whose sizes are watched too."""

    def __init__(self, pid: int, *files: Path) -> None:
        self._process = psutil.Process(pid)
        self._files = files
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._cpu: dict[int, tuple[float, float]] = {}
        self.uses: dict[int, Use] = {}
        self.sizes = dict.fromkeys(files, 0)
        self.load = 0.0

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        seconds = time.monotonic() - self._begun
        for pid, (first, last) in self._cpu.items():
            self.uses[pid].cpu = (last - first) / seconds

    def _watch(self) -> None:
        while True:
            for process in [self._process, *self._process.children(recursive=True)]:
                try:
                    self._look(process)
                except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
                    continue
            for path in self._files:
                self.sizes[path] = max(self.sizes[path], _size(path))
            self.load = max(self.load, psutil.getloadavg()[0])
            if self._over.wait(EVERY_S):
                return

    def _look(self, process: psutil.Process) -> None:
        use = self.uses.setdefault(process.pid, Use(_name(process, self._process)))
        use.rss = max(use.rss, process.memory_info().rss)
        use.pss = max(use.pss, _pss(process.pid))
        times = process.cpu_times()
        first, _ = self._cpu.setdefault(process.pid, (times.user + times.system, 0.0))
        self._cpu[process.pid] = (first, times.user + times.system)


def _name(process: psutil.Process, daemon: psutil.Process) -> str:
    if process == daemon:
        return "daemon"
    command = " ".join(process.cmdline())
    named = [name for part, name in _NAMES.items() if part in command]
    return named[0] if named else command[:40]


def _pss(pid: int) -> int:
    """Proportional set size in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
