"""What the store's tests share."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.telemetry.schema import EventKind, NewEvent, RunStatus
from kitchen_core.telemetry.status import TRANSITIONS

SUBMISSION = NewRun(name="first", recipe="sl_basic", workflow="supervised")


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A migrated home to copy: migrating is tested elsewhere and takes its time."""
    folder = tempfile.TemporaryDirectory()
    Store.open(Path(folder.name)).close()
    return folder


def fresh_store(home: Path) -> Store:
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(_template().name) / "kitchen.db", home)
    return Store.open(home, migrate=False)


@contextmanager
def passing_store() -> Iterator[Store]:
    """A store for one example of a property."""
    with tempfile.TemporaryDirectory() as home, fresh_store(Path(home)) as store:
        yield store


def start(store: Store, name: str = "first") -> RunWriter:
    """A submitted run and its first attempt's writer."""
    run = store.create_run(SUBMISSION.model_copy(update={"name": name}))
    return RunWriter(store, run.id, next_attempt(store, run.id))


def next_attempt(store: Store, run_id: str) -> int:
    return store.begin_attempt(run_id, pid=1, pid_started_at=0.0, boot_id="b", log_path="/log")


def note(message: str) -> NewEvent:
    return NewEvent(kind=EventKind.LOG, at=1.0, metadata={"message": message})


def bring_to(store: Store, run_id: str, status: RunStatus) -> None:
    """Walk a queued run to a status by allowed transitions."""
    paths = [[RunStatus.QUEUED]]
    while paths[0][-1] is not status:
        path = paths.pop(0)
        paths += [[*path, after] for after in sorted(TRANSITIONS[path[-1]]) if after not in path]
    for step in paths[0][1:]:
        store.transition(run_id, step)


def contents(store: Store) -> list[str]:
    """Everything in the database, to see that nothing changed."""
    return list(store.db.connection().iterdump())


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process on the same store, with pipes to talk to."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a process that should end well; its output."""
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
