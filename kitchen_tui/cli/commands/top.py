"""The kitchen at a glance: queue, devices and gauges."""

from __future__ import annotations

from typing import Annotated

import typer

from kitchen_tui.cli.arguments import AsJson
from kitchen_tui.cli.commands.queue import DEFAULT_LIMIT
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.output import emit_json, screen


def top(
    once: Annotated[bool, typer.Option("--once", help="Print one page and stop.")] = False,
    as_json: AsJson = False,
) -> None:
    """Watch the machine, what runs and what waits. q leaves.

    Where there is no terminal, one page is printed.
    """
    with connected() as client:
        if as_json:
            emit_json({"machine": client.machine(), "queue": client.queue()})
            return
        from kitchen_tui.cli.glancing import glance, keep_glancing
        from kitchen_tui.cli.views.top import top_page

        console = screen()
        if once or not console.is_terminal or console.is_dumb_terminal:
            console.print(top_page(glance(client, DEFAULT_LIMIT), console))
        else:
            keep_glancing(client, console)
