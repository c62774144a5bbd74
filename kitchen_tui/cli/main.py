"""The entry of `kitchen`: its commands, and how whatever goes wrong ends in one line and a code."""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from kitchen_tui.cli.commands import (
    adapters,
    checkpoints,
    daemon,
    demo,
    hub,
    launch,
    queue,
    quote,
    recipes,
    records,
    render,
    runs,
    samples,
    schedule,
    top,
    transfers,
)
from kitchen_tui.cli.errors import Exit, Failure, OutputClosed
from kitchen_tui.cli.output import discard_stdout, emit, say

ORDER = (
    *("demo", "up", "down", "status", "doctor"),
    *("recipes", "adapters", "render", "quote", "run"),
    *("queue", "schedule", "top", "runs", "show", "watch"),
    *("cancel", "pause", "resume", "retry"),
    *("logs", "events", "metrics", "samples", "artifacts", "lineage"),
    *("hub", "upload", "push", "pull", "checkpoints"),
)
"""The commands as help lists them: from looking around over launching to what has come out of it."""


class _InOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:  # of a type that Typer keeps to itself
        place = {name: i for i, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: place.get(name, len(ORDER)))


app = typer.Typer(
    cls=_InOrder,
    rich_markup_mode=None,  # plain help is quick, and whole in a narrow window
    pretty_exceptions_enable=False,
    no_args_is_help=False,
)


def _version(asked: bool) -> None:
    if asked:
        from kitchen_core import __version__

        emit(f"kitchen {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog="Begin with: kitchen demo")
def _kitchen(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Post-training for language models on your own workstation."""
    if ctx.invoked_subcommand is None:
        emit(ctx.get_help())


for command in (demo.demo, daemon.up, daemon.down, daemon.status, daemon.doctor):
    app.command()(command)
app.add_typer(recipes.app, name="recipes")
app.add_typer(adapters.app, name="adapters")
app.command(epilog=render.RENDER_EXAMPLES)(render.render)
app.command(epilog=quote.QUOTE_EXAMPLES)(quote.quote)
app.command(epilog=launch.RUN_EXAMPLES)(launch.run)
for command in (runs.runs, runs.show, runs.watch):
    app.command()(command)
app.add_typer(queue.app, name="queue")
app.add_typer(schedule.app, name="schedule")
app.command()(top.top)
for command in (
    records.logs,
    records.events,
    records.metrics,
    samples.samples,
    records.artifacts,
    records.lineage,
):
    app.command()(command)
for command in (hub.hub, hub.upload, transfers.push, transfers.pull):
    app.command()(command)
for command in (launch.cancel, launch.pause, launch.resume, launch.retry):
    app.command()(command)
app.add_typer(checkpoints.app, name="checkpoints")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    try:
        code = app(arguments, prog_name="kitchen", standalone_mode=False)
        sys.stdout.flush()
    except Failure as failure:
        return _report(failure)
    except TyperException as error:
        return _report(_usage(error))
    except (OutputClosed, BrokenPipeError):
        discard_stdout()
        return Exit.OUTPUT_CLOSED
    return code if isinstance(code, int) else Exit.DONE


def _report(failure: Failure) -> Exit:
    say(f"error: {failure.message}")
    if failure.hint:
        say(f"hint: {failure.hint}")
    return failure.code


def _usage(error: TyperException) -> Failure:
    """What the parser found wrong, and the command whose help tells more."""
    from pydantic import ValidationError

    from kitchen_core.explaining import given_and_expected

    if isinstance(error.__cause__, ValidationError):  # which it tells in pydantic's own words
        error.message = given_and_expected(error.__cause__)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "kitchen"
    message = error.format_message().rstrip(".")
    return Failure(message[:1].lower() + message[1:], f"see: {command} --help")


if __name__ == "__main__":
    main()
