"""A real daemon in a process of its own, on a home of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from kitchen_core.home import Home
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.client import Client, Unreachable
from kitchen_daemon.models import Launch, RunInfo, StreamItem

COMMAND = (sys.executable, "-m", "kitchen_daemon.main")
START_SECONDS = 60.0
STREAM_SECONDS = 120.0

QUICK = {"max_steps": 60, "save_every": 10, "eval_every": 0, "keep_checkpoints": 3}
"""Overrides of sl_basic for a run of two seconds that trains and saves, and measures nothing."""


class Daemon:
    """One home's daemon, started and killed at will. The client is made anew with every start.

    cpu_slots: with one, as it is unless a test is about more, runs come one after the other.
    """

    def __init__(self, home: Path, cpu_slots: int = 1) -> None:
        self.home = Home(home)
        self.cpu_slots = cpu_slots
        self.process: subprocess.Popen[bytes] | None = None
        self.client = Client(self.home)

    def start(self) -> None:
        """Spawn the daemon and wait until it answers."""
        self.home.make()
        if not self.home.settings.exists():
            self.home.settings.write_text(f"cpu_slots = {self.cpu_slots}\n")
        with self.home.daemon_log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "--home", str(self.home.root)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.until_answers()

    def until_answers(self) -> None:
        """Wait for the socket; there is nothing to be told of before it exists, so ask."""
        assert self.process
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client = Client(self.home)
                self.client.status()
                return
            except Unreachable:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.home.daemon_log.read_text()) from None
                time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL, as the kernel would when memory runs out."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the daemon and whatever workers are left."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        for pid in self.worker_pids():
            with_suppressed(lambda pid=pid: os.kill(pid, signal.SIGKILL))

    def worker_pids(self) -> list[int]:
        """Every process whose attempt is open."""
        from kitchen_core.store import Store

        with Store.open(self.home.root) as store:
            return [attempt.pid for attempt in store.open_attempts()]

    def worker_of(self, run: str) -> int:
        """The process of a run's open attempt."""
        from kitchen_core.store import Store

        with Store.open(self.home.root) as store:
            return next(attempt.pid for attempt in store.open_attempts() if attempt.run_id == run)

    def stop_worker(self, run: str) -> int:
        """Let a run's worker stand still until SIGCONT, but not while it writes, which would hold up everybody."""
        from kitchen_core.store.database import Database, StoreBusy

        pid = self.worker_of(run)
        database = Database(self.home.database, patience_s=0.5)
        try:
            while True:
                os.kill(pid, signal.SIGSTOP)
                deadline = time.monotonic() + START_SECONDS
                while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
                    assert time.monotonic() < deadline, f"process {pid} does not stop"
                with suppress(StoreBusy), database.write(durable=False):
                    return pid
                os.kill(pid, signal.SIGCONT)
        finally:
            database.close()

    def launch(self, **overrides: object) -> RunInfo:
        """Queue sl_basic with QUICK and these overrides on top."""
        return self.client.launch(Launch(recipe="sl_basic", overrides=QUICK | overrides))

    def until(
        self,
        run: str,
        reached: Callable[[StreamItem], bool],
        cursor: str | None = None,
        within_s: float = STREAM_SECONDS,
    ) -> list[StreamItem]:
        """Follow a run until an item of its stream says so; everything up to it."""
        items = []
        deadline = time.monotonic() + within_s
        for item in self.client.stream(run, cursor=cursor):
            items.append(item)
            if reached(item):
                return items
            ended = is_at_rest(item) or time.monotonic() > deadline
            assert not ended, f"{run} did not get there: {item.event}"
        raise AssertionError("the stream ended")

    def completed(self, run: str) -> RunInfo:
        """The run once it has completed, however often it rested before."""
        deadline = time.monotonic() + STREAM_SECONDS
        for item in self.client.stream(run):
            if happened("run.completed")(item):
                return self.client.run(run)
            assert time.monotonic() < deadline, f"{run} did not complete: {item.event}"
        raise AssertionError("the stream ended")

    def settled(self, run: str, within_s: float = STREAM_SECONDS) -> RunInfo:
        """The run once nothing more happens to it by itself."""
        self.until(run, is_at_rest, within_s=within_s)
        return self.client.run(run)


def is_at_rest(item: StreamItem) -> bool:
    """Whether the item is a change to a status at which a run rests. One that the kitchen pauses goes on."""
    if item.event is None or not item.event.kind.startswith("run."):
        return False
    if "paused_for" in item.event.metadata:
        return False
    name = item.event.kind.removeprefix("run.")
    return name in set(RunStatus) and RunStatus(name).is_at_rest


def reached_step(step: int) -> Callable[[StreamItem], bool]:
    """Whether a metric of that step or a later one has come."""
    return lambda item: any(point.step >= step for point in item.metrics or [])


def happened(kind: str) -> Callable[[StreamItem], bool]:
    """Whether the item is an event of that kind."""
    return lambda item: item.event is not None and item.event.kind == kind


def final_sha256(run: RunInfo) -> str:
    """The hash of the model that a run made."""
    (final,) = [artifact for artifact in run.artifacts if artifact.name == "final"]
    return final.sha256


def with_suppressed(action: Callable[[], None]) -> None:
    """Signal a process that may be gone."""
    try:
        action()
    except ProcessLookupError:
        return


@contextmanager
def running_daemon(home: Path, cpu_slots: int = 1) -> Iterator[Daemon]:
    """A daemon for a block."""
    daemon = Daemon(home, cpu_slots)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()
