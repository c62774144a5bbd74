"""Showing rows as a launch would train on them. Reading them runs the recipe's code and the
tokenizer's, so it has a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.models import Model, Problem, Rendering, RenderRequest
from kitchen_daemon.process import kill_group
from kitchen_daemon.submission import Submissions
from kitchen_daemon.workers import FIXED_AT_SPAWN

RENDER_SECONDS = 120.0
_NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


class RenderTask(Model):
    """What the process is told: where the home is, the recipe's kept file, what a run of it would
    be pinned to, and how many rows to show in how many seconds.
    """

    home: str
    recipe: str
    config: dict[str, Any]
    pins: dict[str, str]
    wiring: dict[str, Any]
    rows: int
    seconds: float


class RenderAnswer(Model):
    """What the process says. Exactly one of the two is set."""

    rendering: Rendering | None = None
    problem: Problem | None = None


class RenderingFailed(ValueError):  # noqa: N818 - named by the condition
    """The rows can't be shown; a run would be refused for the same reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Renderings:
    """Renders rows for those who ask. Blocks."""

    def __init__(self, home: Home, store: Store, submissions: Submissions) -> None:
        self._home = home
        self._store = store
        self._submissions = submissions
        self._lock = Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def close(self) -> None:
        """End what is being rendered; whoever waits for it is told that the daemon is stopping."""
        with self._lock:
            self._closed = True
            for process in self._processes:
                kill_group(process)

    def render(self, request: RenderRequest, seconds: float = RENDER_SECONDS) -> Rendering:
        """The first rows as the launch would train on them.

        Raises RenderingFailed, and whatever makes a dry run of the launch fail.
        """
        launch = request.launch
        plan = self._submissions.plan(launch)
        manifest = resolve_manifest(launch.manifest, launch.adapters, self._home.root)
        revision = self._store.get_revision(plan.recipe_revision)
        kept = self._store.find_artifact(revision.sha256).path / Path(revision.source_path).name
        task = RenderTask(
            home=str(self._home.root),
            recipe=str(kept),
            config=plan.config,
            pins=plan.pins,
            wiring=manifest.model_dump(mode="json"),
            rows=request.rows,
            seconds=seconds,
        )
        answer = self._ask_apart(task)
        if answer.rendering is None:
            raise RenderingFailed(answer.problem or Problem(message="nothing was rendered"))
        return answer.rendering

    def _ask_apart(self, task: RenderTask) -> RenderAnswer:
        """Start the process, wait for its answer, and leave nothing of it running."""
        process = self._start()
        try:
            said, printed = process.communicate(task.model_dump_json().encode(), task.seconds)
        except subprocess.TimeoutExpired as late:
            self._keep(late.stderr or b"")
            return _problem(
                f"the rows were not ready within {task.seconds:g} s",
                "try a smaller file; a run reads all of the data in its own time",
            )
        finally:
            with self._lock:
                self._processes.discard(process)
                kill_group(process)
            process.wait()
        self._keep(printed)
        if self._closed and not said:
            raise _stopping()
        if not said:
            words = _last_line(printed) or "it said nothing"
            return _problem(f"rendering ended (exit code {process.returncode}): {words}")
        return RenderAnswer.model_validate_json(said)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise _stopping()
            process = subprocess.Popen(
                [sys.executable, "-m", "kitchen_daemon.rendering_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=os.environ | FIXED_AT_SPAWN | _NO_GPU,
                start_new_session=True,
            )
            self._processes.add(process)
        return process

    def _keep(self, printed: bytes) -> None:
        """What libraries and tracebacks say is for the daemon's log."""
        with self._home.daemon_log.open("ab") as log:
            log.write(printed)


def _stopping() -> RenderingFailed:
    hint = "start it again with: kitchen up"
    return RenderingFailed(Problem(message="the daemon is stopping", hint=hint))


def _last_line(printed: bytes) -> str:
    lines = printed.decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.strip()), "")


def _problem(message: str, hint: str = "") -> RenderAnswer:
    return RenderAnswer(problem=Problem(message=message, hint=hint))
