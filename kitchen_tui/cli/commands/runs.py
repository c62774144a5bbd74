"""Looking at runs: runs, show, watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import AsJson, RunName
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Failure
from kitchen_tui.cli.output import emit_json, emit_json_list, say, screen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitchen_daemon.client import Client
    from kitchen_daemon.models import RunInfo

DEFAULT_LIMIT = 20


def runs(
    status: Annotated[
        str | None,
        typer.Option(help="Only with this status.", autocompletion=completion.statuses),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Only of this recipe.", autocompletion=completion.recipes),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="At most so many; 0: all.", show_default=True)
    ] = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    with connected() as client:
        _check_status(status)
        portions = client.runs_in_portions(status=status, recipe=recipe, limit=limit or None)
        if as_json:
            emit_json_list(portions)
        elif not _print_runs(portions):
            first = "No runs yet. Start one: kitchen run sl_basic --watch"
            say("No such runs." if status or recipe else first)


def _print_runs(portions: Iterable[list[RunInfo]]) -> bool:
    """A table of each portion. Whether there were any."""
    from kitchen_tui.cli.views.runs import runs_table

    console, any_runs = screen(), False
    for found in portions:
        console.print(runs_table(found, console.width))
        any_runs = True
    return any_runs


def show(run: RunName, as_json: AsJson = False) -> None:
    """Show one run: status, config, metrics, and why it failed."""
    with connected() as client:
        found = client.run(run)
        if as_json:
            emit_json(found)
            return
        from kitchen_core.telemetry.schema import EventKind
        from kitchen_tui.cli.run_view import is_warning
        from kitchen_tui.cli.views.runs import run_page

        told = filter(is_warning, client.events(found.id, kinds=[EventKind.LOG]))
        screen().print(run_page(found, _defaults(client, found), list(told)))


def watch(run: RunName, as_json: AsJson = False) -> None:
    """Watch a run until it ends. Ctrl-C leaves it going."""
    with connected() as client:
        from kitchen_tui.cli.watching import stay

        stay(client, client.run(run), watch=True, as_json=as_json)


def _check_status(status: str | None) -> None:
    from kitchen_core.telemetry.schema import RunStatus

    if status is not None and status not in set(RunStatus):
        raise Failure(f"unknown status '{status}'", f"there are: {', '.join(RunStatus)}")


def _defaults(client: Client, run: RunInfo) -> dict[str, Any] | None:
    """The recipe's config as it is now; nothing where the recipe has gone or broken since."""
    from kitchen_daemon.client import Refused

    try:
        return client.recipe(run.recipe).config
    except Refused:
        return None
