"""The demo: what the kitchen does, on the embedded model, on any machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kitchen_tui.cli.courses import COURSES
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit
from kitchen_tui.cli.output import emit, say, screen

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import RunInfo


def demo() -> None:
    """Train a tiny model with every recipe, in a minute or two.

    The model comes with the kitchen, and each recipe starts from what an earlier one has made. All runs
    are queued at once. Ctrl-C leaves them going; where one fails, those that do not need it go on.
    """
    with connected() as client:
        queued = _submit(client)
        emit(f"Queued {len(queued)} runs on {client.home.root}: {', '.join(queued)}")
        ended = {name: _watch(client, name, queued) for name in queued}
        _sum_up(client, ended)
    failed = [run for run in ended.values() if not _completed(run)]
    if failed:
        names = ", ".join(f"{run.recipe} {run.status.value}" for run in failed)
        say(f"\nNot all recipes came to their end: {names}")
        raise typer.Exit(Exit.RUN_FAILED)


def _submit(client: Client) -> dict[str, RunInfo]:
    """Queue a run of every course, each from the results that it takes, by recipe."""
    from kitchen_daemon.client import Refused
    from kitchen_daemon.models import Launch

    queued: dict[str, RunInfo] = {}
    for course in COURSES:
        overrides = {key: f"run:{queued[of].id}" for key, of in course.takes.items()}
        try:
            queued[course.recipe] = client.launch(Launch(recipe=course.recipe, overrides=overrides))
        except Refused:
            for run in queued.values():
                client.cancel(run.id)
            raise
    return queued


def _watch(client: Client, name: str, queued: Mapping[str, RunInfo]) -> RunInfo:
    """Watch one run until it ends, or waits in vain for one that failed; then say so."""
    from kitchen_tui.cli.watching import accompany, print_end, watching

    emit(f"\n{list(queued).index(name) + 1} of {len(queued)}  {_from(name)}")
    try:
        run = accompany(client, client.run(queued[name].id), watching(as_json=False)).info
    except typer.Exit:
        say("So do the demo's other runs: kitchen runs")
        raise
    if not _completed(run):
        print_end(run)
    return run


def _from(name: str) -> str:
    """A recipe and what it starts from: `distillation, model from sl_basic, teacher from math_rl`."""
    (course,) = (course for course in COURSES if course.recipe == name)
    return ", ".join([name, *(f"{key} from {of}" for key, of in course.takes.items())])


def _completed(run: RunInfo) -> bool:
    from kitchen_core.telemetry.schema import RunStatus

    return run.status is RunStatus.COMPLETED


def _sum_up(client: Client, ended: Mapping[str, RunInfo]) -> None:
    from kitchen_core.telemetry.schema import EventKind
    from kitchen_tui.cli.views.demo import served, summary

    logged = [EventKind.SAMPLE_LOGGED]
    courses = [
        served(course, run, client.metrics(run.id), client.events(run.id, kinds=logged))
        for course, run in zip(COURSES, ended.values(), strict=True)
    ]
    graphs = [client.lineage(run.id) for run in ended.values()]
    screen().print(summary(courses, graphs, screen().width))
    done = [course.recipe for course in COURSES if _completed(ended[course.recipe])]
    if done:
        _suggest(ended, done[-1])


def _suggest(ended: Mapping[str, RunInfo], name: str) -> None:
    """What to do next with one of the runs."""
    run = ended[name]
    (course,) = (course for course in COURSES if course.recipe == name)
    for made in run.artifacts:
        if made.name == "final":
            emit(f"\nThe model that {name} trained\n{made.path}")
    emit("\nWhat to try next")
    if not shutil.which("kitchen"):
        emit(f"  export PATH={_command().parent}:$PATH")
    home = os.environ.get("KITCHEN_HOME")
    if home:
        emit(f"  export KITCHEN_HOME={home}")
    given = "".join(f"{key}=run:{ended[of].id} " for key, of in course.takes.items())
    emit(f"  kitchen samples {run.id}")
    emit(f"  kitchen metrics {run.id}")
    emit(f"  kitchen run {name} {given}seed=1 --watch")
    emit(f"  kitchen recipes copy {name}")


def _command() -> Path:
    """Where this command lies; beside the interpreter, where that was asked for the module."""
    called = Path(sys.argv[0]).absolute()
    return called if called.name == "kitchen" else Path(sys.executable).with_name("kitchen")
