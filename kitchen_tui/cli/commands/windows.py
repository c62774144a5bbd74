"""Windows: hours in which runs may run."""

from __future__ import annotations

from typing import Annotated

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import AsJson, TimeZone, name_argument
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.launching import checked
from kitchen_tui.cli.output import emit, emit_json, say, screen

WINDOW_EXAMPLES = """\b
Examples:
  kitchen schedule window add nights 22:00-06:00
  kitchen schedule window add work "mon-fri 20:00-07:30; sat,sun 00:00-24:00" --at-close finish
"""

app = typer.Typer(
    help="Hours in which runs may run: kitchen run RECIPE --window NAME.", rich_markup_mode=None
)

WindowName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The window.",
        autocompletion=completion.windows,
        callback=name_argument,
    ),
]


@app.callback(invoke_without_command=True)
def _windows(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_windows(as_json)


@app.command("add", epilog=WINDOW_EXAMPLES)
def add(
    window: WindowName,
    hours: Annotated[
        str,
        typer.Argument(
            metavar="HOURS", help='22:00-06:00, "mon-fri 20:00-07:30"; several with ; between.'
        ),
    ],
    at_close: Annotated[
        str,
        typer.Option(
            metavar="pause|finish",
            help="When it closes: save what runs and go on at the next opening, or let it end.",
        ),
    ] = "pause",
    timezone: TimeZone = None,
    as_json: AsJson = False,
) -> None:
    """Add a window, or change it."""
    asked = {"hours": hours, "timezone": timezone, "at_close": at_close}
    with connected() as client:
        from kitchen_daemon.models import NewWindow

        added = client.put_window(checked(NewWindow, name=window, **asked))
    if as_json:
        emit_json(added)
    else:
        from kitchen_tui.cli.views.schedules import opening

        emit(f"{added.name}  {opening(added)}")
        say(f"use it: kitchen run RECIPE --window {added.name}")


@app.command("list")
def list_windows(as_json: AsJson = False) -> None:
    """List windows: whether they are open, and until when."""
    with connected() as client:
        found = client.windows()
    if as_json:
        emit_json(found)
    elif found:
        from kitchen_tui.cli.views.schedules import windows_table

        console = screen()
        console.print(windows_table(found, console.width))
    else:
        say("No windows yet. Add one: kitchen schedule window add nights 22:00-06:00")


@app.command("remove")
def remove(
    window: WindowName,
    force: Annotated[
        bool, typer.Option("--force", help="Even where runs or schedules name it; those then wait.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a window."""
    with connected() as client:
        removed = client.remove_window(window, force=force)
    if as_json:
        emit_json(removed)
    else:
        emit(f"{removed.name}  removed")
