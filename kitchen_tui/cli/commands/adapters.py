"""Adapters: what serves each port, and what one of them is."""

from __future__ import annotations

from typing import Annotated

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import AsJson, Manifest, Probe
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.launching import manifest_argument
from kitchen_tui.cli.output import emit_json, screen

app = typer.Typer(
    help="List which adapter serves each port, and how each stands.", rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def _adapters(
    ctx: typer.Context,
    manifest: Manifest = "dev",
    probe: Probe = False,
    as_json: AsJson = False,
) -> None:
    if ctx.invoked_subcommand is None:
        _list(manifest_argument(manifest), probe, as_json)


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="An adapter's name.", autocompletion=completion.adapters
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Show an adapter: its ports, options and keys."""
    with connected() as client:
        found = client.adapter(name)
    if as_json:
        emit_json(found)
        return
    from kitchen_tui.cli.views.adapters import adapter_page

    screen().print(adapter_page(found))


def _list(manifest: str, probe: bool, as_json: bool) -> None:
    with connected() as client:
        found = client.adapters(manifest, probe=probe)
    if as_json:
        emit_json(found)
        return
    from kitchen_tui.cli.views.adapters import adapters_page

    console = screen()
    console.print(adapters_page(found, console.width))
