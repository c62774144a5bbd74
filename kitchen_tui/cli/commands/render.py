"""Looking at data as a run would train on it."""

from __future__ import annotations

from typing import Annotated

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import Adapters, AsJson, Manifest
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit, Failure
from kitchen_tui.cli.launching import (
    adapter_arguments,
    launch_of,
    manifest_argument,
    pairs,
    recipe_argument,
    with_absolute_refs,
)
from kitchen_tui.cli.output import emit_json, screen

ROWS = 5
RENDER_EXAMPLES = """\b
Examples:
  kitchen render ./mine.jsonl
  kitchen render ./mine.jsonl model=ORG/NAME renderer=qwen3 train_on=last_assistant_turn
  kitchen render ./problems.jsonl env=gsm8k --recipe math_rl
  kitchen render builtin:chat --rows 20 --json
"""


def render(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A dataset's file, or any other ref to one.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]", help="Settings that differ from the recipe's."),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="RECIPE", help="As a run of this one.", autocompletion=completion.recipes
        ),
    ] = "chat_sl",
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="A preset of the recipe.")
    ] = None,
    manifest: Manifest = "dev",
    adapter: Adapters = None,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="The first so many rows.")] = ROWS,
    as_json: AsJson = False,
) -> None:
    """Show rows exactly as a run would train on them, or ask them. Nothing is queued."""
    recipe = recipe_argument(recipe)
    given = pairs(settings or [], "key=value")
    if "dataset" in given:
        raise Failure("the dataset is given twice", f"leave out dataset={given['dataset']}")
    with connected() as client:
        from kitchen_daemon.models import RenderRequest

        launch = launch_of(
            recipe=recipe,
            preset=preset,
            overrides=with_absolute_refs(client, recipe, {"dataset": dataset, **given}),
            manifest=manifest_argument(manifest),
            adapters=adapter_arguments(adapter),
        )
        rendering = client.render(RenderRequest(launch=launch, rows=rows))
    if as_json:
        emit_json(rendering)
    else:
        from kitchen_tui.cli.views.rendering import rendering_page
        from kitchen_tui.cli.views.tokens import has_color

        console = screen()
        console.print(rendering_page(rendering, color=has_color(console)))
    for each in (rendering, *rendering.mixed):
        if each.refusal:
            raise Failure(each.refusal, code=Exit.RUN_FAILED)
