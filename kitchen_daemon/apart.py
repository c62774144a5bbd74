"""Questions that a process of its own answers, for what answers them is others' code: it may block, print,
start processes, or bring a gigabyte of libraries.

    daemon    Apart(home).ask("kitchen_daemon.…", task)   the task as JSON, in; the answer as JSON lines, out
    process   task, say = take_task(Kind)

All of it passes through files in memory: a pipe would be waited for until everything that the process has
started lets go of it. The process ends when its time is up, when the daemon stops, and when the daemon dies.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from kitchen_core.home import Home
from kitchen_daemon.models import Model
from kitchen_daemon.process import FIXED_AT_SPAWN, kill_group
from kitchen_daemon.secrets import print_without_keys, redactor

_NOTHING: Mapping[str, str] = {}


class Stopping(RuntimeError):  # noqa: N818 - named by the condition
    """The daemon is stopping, and nothing is asked any more."""


class Task(Model):
    """What a process is told: whose home it works for, in how many seconds, and which daemon it ends with."""

    home: str
    seconds: float
    daemon: int = Field(default_factory=os.getpid)


T = TypeVar("T", bound=Task)
Say = Callable[[BaseModel], None]


@dataclass(frozen=True)
class Said:
    """What a process has left: its answers, as JSON without keys, and the last line that it printed.

    exit_code: None where its time was up; then there are the answers that came before.
    """

    answers: list[Any]
    last_words: str
    exit_code: int | None


class Apart:
    """Asks in processes of their own, for one home. Blocks."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def close(self) -> None:
        """End what is being asked; whoever waits for an answer gets Stopping."""
        with self._lock:
            self._closed = True
            for process in self._running:
                kill_group(process)

    def ask(self, module: str, task: Task, environ: Mapping[str, str] = _NOTHING) -> Said:
        """What `python -m module` answers; nothing of it runs any more then. What it printed is in the
        daemon's log. Raises Stopping.
        """
        with _in_memory("task") as told, _in_memory("answer") as said, _in_memory("log") as printed:
            told.write(task.model_dump_json().encode())
            told.seek(0)
            command = [sys.executable, "-m", module]
            with self._started(command, told, said, printed, environ) as process:
                exit_code = _waited_for(process, task.seconds)
            words = self._kept(_all_of(printed))
            whole, _, _ = _all_of(said).rpartition(b"\n")  # a line that was cut off is none
        if self._closed and not whole:
            raise Stopping("the daemon is stopping")
        clean = redactor(self.home)
        answers = [clean.value(json.loads(line)) for line in whole.splitlines()]
        return Said(answers, words, exit_code)

    @contextmanager
    def _started(
        self,
        command: list[str],
        told: FileIO,
        said: FileIO,
        printed: FileIO,
        environ: Mapping[str, str],
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A process that leads a group of its own, which ends with the block."""
        with self._lock:
            if self._closed:
                raise Stopping("the daemon is stopping")
            process = subprocess.Popen(
                command,
                stdin=told,
                stdout=said,
                stderr=printed,
                env={**os.environ, **FIXED_AT_SPAWN, **environ},
                start_new_session=True,
            )
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)
                kill_group(process)
            process.wait()

    def _kept(self, printed: bytes) -> str:
        """Put what was printed into the daemon's log; its last line."""
        text = redactor(self.home).text(printed.decode(errors="replace"))
        with self.home.daemon_log.open("ab") as log:
            log.write(text.encode())
        return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def take_task(kind: type[T]) -> tuple[T, Say]:
    """This process's task, and what takes its answers, from any thread. From here on what is printed is for
    the daemon's log, without keys, and the process ends when the daemon does.
    """
    task = kind.model_validate_json(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    Thread(target=_end_with, args=(task.daemon,), daemon=True).start()
    print_without_keys(Home(Path(task.home)))
    writing = Lock()

    def say(answer: BaseModel) -> None:
        with writing:
            answers.write(answer.model_dump_json().encode() + b"\n")
            answers.flush()

    return task, say


def _end_with(daemon: int) -> None:
    """Wait until the daemon has ended, then kill this process and all that it has started."""
    with suppress(ProcessLookupError):  # it has ended already
        ended = os.pidfd_open(daemon)
        if os.getppid() == daemon:
            select.select([ended], [], [])
    os.killpg(0, signal.SIGKILL)


def _waited_for(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _in_memory(name: str) -> FileIO:
    """A file that is on no disk, which may be full."""
    return FileIO(os.memfd_create(name), "w+")


def _all_of(file: FileIO) -> bytes:
    file.seek(0)
    return file.read()
