"""Recipes: list, show, check, copy, watch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import AsJson
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Failure
from kitchen_tui.cli.follow import recipe_changes
from kitchen_tui.cli.launching import recipe_argument
from kitchen_tui.cli.output import emit, emit_json, say, screen

if TYPE_CHECKING:
    from kitchen_daemon.models import RecipeDetail

app = typer.Typer(help="List, show, check, copy and watch recipes.", rich_markup_mode=None)

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="A recipe's name or file.", autocompletion=completion.recipes
    ),
]


@app.callback(invoke_without_command=True)
def _recipes(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_recipes(as_json)


@app.command("list")
def list_recipes(as_json: AsJson = False) -> None:
    """List the recipes: those that ship, and your own."""
    with connected() as client:
        found = client.recipes()
    if as_json:
        emit_json(found)
        return
    from kitchen_tui.cli.views.plans import recipes_table

    console = screen()
    console.print(recipes_table(found, console.width))


@app.command()
def show(
    recipe: RecipeName,
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH", help="An older version: good (the last that loads), or its hash."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a recipe: its settings, presets, stages and revisions."""
    found = _detail(recipe, revision)
    if as_json:
        emit_json(found)
        return
    from kitchen_tui.cli.views.plans import recipe_page

    screen().print(recipe_page(found))


@app.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A recipe's file or name.")],
    as_json: AsJson = False,
) -> None:
    """Load a recipe and say whether it can be run."""
    found = _detail(file)
    if as_json:
        emit_json(found)
        return
    presets = ", ".join(found.presets) or "none"
    emit(f"{found.name} is fine: workflow {found.workflow}, presets {presets}")


@app.command()
def copy(
    recipe: RecipeName,
    to: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Where to; left out: here.")
    ] = None,
) -> None:
    """Copy a recipe, with what it imports from its folder, to make it your own."""
    found = _detail(recipe)
    folder = to or Path()
    targets = _targets(found, folder)
    taken = [target for target in targets.values() if target.exists()]
    if taken:
        raise Failure(f"{taken[0]} exists already", "copy into another folder: add its name")
    for source, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        emit(str(target))
    say(_how_to_run(folder / Path(found.path).name))


@app.command()
def watch(as_json: AsJson = False) -> None:
    """Say what becomes of each recipe that is saved, until Ctrl-C."""
    from kitchen_tui.cli.views.events import recipe_line

    with connected() as client:
        say("Save a recipe, and see what becomes of it. Ctrl-C ends this.")
        for event in recipe_changes(client):
            if as_json:
                emit_json(event, indent=False)
            else:
                emit(recipe_line(event))


def _detail(recipe: str, revision: str | None = None) -> RecipeDetail:
    recipe = recipe_argument(recipe)
    with connected() as client:
        return client.recipe(recipe, revision)


def _how_to_run(copied: Path) -> str:
    """What to type: a name where recipes have one."""
    from kitchen_core.home import Home

    if copied.resolve().parent == Home.find().recipes.resolve():
        return f"from now on {copied.stem} is this one: kitchen run {copied.stem}"
    return f"run it: kitchen run {copied if copied.is_absolute() else f'./{copied}'}"


def _targets(recipe: RecipeDetail, folder: Path) -> dict[Path, Path]:
    """Where each of the recipe's files goes: they lie beside each other as they did."""
    home = Path(recipe.path).parent
    files = [home / file for file in recipe.files] or [Path(recipe.path)]
    return {file: folder / file.relative_to(home) for file in files}
