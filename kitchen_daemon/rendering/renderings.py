"""Showing rows as a launch would train on them. Reading them runs the recipe's code and the
tokenizer's, so it has a process of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.apart import Apart, Task
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.models import Model, Problem, Rendering, RenderRequest

RENDER_SECONDS = 120.0
_NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


class RenderTask(Task):
    """What the process is told: the recipe's kept file, what a run of it would be pinned to, and how
    many rows to show.
    """

    recipe: str
    config: dict[str, Any]
    pins: dict[str, str]
    wiring: dict[str, Any]
    rows: int


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

    def __init__(self, home: Home, store: Store, submissions: Submissions, apart: Apart) -> None:
        self._home = home
        self._store = store
        self._submissions = submissions
        self._apart = apart

    def render(self, request: RenderRequest, seconds: float = RENDER_SECONDS) -> Rendering:
        """The first rows as the launch would train on them.

        Raises RenderingFailed, Stopping, and whatever makes a dry run of the launch fail.
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
        said = self._apart.ask("kitchen_daemon.rendering.process", task, _NO_GPU)
        if said.answers:
            return RenderAnswer.model_validate(said.answers[0])
        if said.exit_code is None:
            return _problem(
                f"the rows were not ready within {task.seconds:g} s",
                "try a smaller file; a run reads all of the data in its own time",
            )
        words = said.last_words or "it said nothing"
        return _problem(f"rendering ended (exit code {said.exit_code}): {words}")


def _problem(message: str, hint: str = "") -> RenderAnswer:
    return RenderAnswer(problem=Problem(message=message, hint=hint))
