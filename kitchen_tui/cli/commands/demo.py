"""The demo: what the kitchen does, on the embedded model, on any machine."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit
from kitchen_tui.cli.output import emit, screen

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import RunInfo

COURSES = ("sl_basic", "chat_sl")
"""The recipes that the demo runs, in order; each starts from what the one before it made."""


def demo() -> None:
    """Train the embedded tiny model, recipe after recipe, and show what it has learned."""
    with connected() as client:
        served: list[RunInfo] = []
        for recipe in COURSES:
            served.append(_serve(client, recipe, served[-1] if served else None))
        _sum_up(client, served)


def _serve(client: Client, recipe: str, before: RunInfo | None) -> RunInfo:
    """Run one recipe to its end, from the model that `before` made; the demo ends with the first
    that fails.
    """
    from kitchen_core.telemetry.schema import RunStatus
    from kitchen_daemon.models import Launch
    from kitchen_tui.cli.watching import accompany, print_end, watching

    start = {"model": f"run:{before.id}"} if before else {}
    made_by = f" from what {before.recipe} made" if before else f" on {client.home.root}"
    emit(f"Running {recipe}{made_by}")
    launched = client.launch(Launch(recipe=recipe, overrides=start))
    run = accompany(client, launched, watching(as_json=False))
    if run.status is not RunStatus.COMPLETED:
        print_end(run)
        raise typer.Exit(Exit.RUN_FAILED)
    return run


def _sum_up(client: Client, served: list[RunInfo]) -> None:
    from kitchen_tui.cli.views.demo import course_of, summary

    last = served[-1]
    page = summary(
        [course_of(run, client.metrics(run.id), client.events(run.id)) for run in served],
        client.lineage(last.id),
        screen().width,
    )
    screen().print(page)
    for made in last.artifacts:
        if made.name == "final":
            emit(f"\nThe trained model\n{made.path}")
    _suggest(last)


def _suggest(run: RunInfo) -> None:
    emit("\nWhat to try next")
    if not shutil.which("kitchen"):
        emit(f"  export PATH={Path(sys.argv[0]).absolute().parent}:$PATH")
    home = os.environ.get("KITCHEN_HOME")
    if home:
        emit(f"  export KITCHEN_HOME={home}")
    emit(f"  kitchen metrics {run.id} train_mean_nll")
    emit(f"  kitchen run {run.recipe} model=run:{run.id} seed=1 --watch")
    emit(f"  kitchen recipes copy {run.recipe}")
