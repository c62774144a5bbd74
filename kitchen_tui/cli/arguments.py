"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from kitchen_tui.cli import completion

RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's id, the start of one, or its name.",
        autocompletion=completion.runs,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the run ends.")]
Watch = Annotated[bool, typer.Option("--watch", help="Watch the run until it ends.")]
