"""Schedules, and the plan of the night."""

from __future__ import annotations

from typing import Annotated

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import AsJson, TimeZone, name_argument
from kitchen_tui.cli.commands import windows
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.launch_words import QueueWords, takes_words
from kitchen_tui.cli.launching import checked
from kitchen_tui.cli.output import emit, emit_json, say, screen

ADD_EXAMPLES = """\b
Examples:
  kitchen schedule add nightly "nightly 22:00" sl_basic
  kitchen schedule add weekend "sat,sun 09:30" dpo max_steps=500 --window nights
  kitchen schedule add once "tomorrow 06:30" math_rl
  kitchen schedule add often "every 6h" chat_sl --missed skip
  kitchen schedule add cron "cron 0 22 * * 1-5" sl_basic --timezone Europe/Vienna
"""

app = typer.Typer(help="Let runs begin by themselves, at their times.", rich_markup_mode=None)
app.add_typer(windows.app, name="window")

Schedule = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The schedule.",
        autocompletion=completion.schedules,
        callback=name_argument,
    ),
]


@app.callback(invoke_without_command=True)
def _schedule(ctx: typer.Context, as_json: AsJson = False) -> None:
    if ctx.invoked_subcommand is None:
        list_schedules(as_json)


@app.command(epilog=ADD_EXAMPLES)
@takes_words
def add(
    schedule: Annotated[
        str, typer.Argument(metavar="NAME", help="A name for the schedule.", callback=name_argument)
    ],
    when: Annotated[
        str,
        typer.Argument(
            metavar="WHEN",
            help='Once: 22:00, "fri 20:00", "in 2h". Again and again: "nightly 22:00", "every 6h".',
        ),
    ],
    words: QueueWords,
    timezone: TimeZone = None,
    missed: Annotated[
        str,
        typer.Option(
            metavar="once|all|skip",
            help="Of the times while no daemon ran: one run, one for each, or none.",
        ),
    ] = "once",
    as_json: AsJson = False,
) -> None:
    """Launch a recipe at its times. It is checked now, as kitchen run does."""
    with connected() as client:
        launch = words.launch(client)
        asked = {"when": when, "timezone": timezone, "missed": missed}
        from kitchen_daemon.models import NewSchedule

        new = checked(NewSchedule, name=schedule, launch=launch, **asked)
        added = client.add_schedule(new)
    if as_json:
        emit_json(added)
    else:
        from kitchen_tui.cli.views.schedules import due

        emit(f"{added.name}  {added.recipe}  {due(added)}")
        say("see what runs when: kitchen schedule plan")


@app.command("list")
def list_schedules(as_json: AsJson = False) -> None:
    """List schedules, the next due first."""
    with connected() as client:
        found = client.schedules()
    if as_json:
        emit_json(found)
    elif found:
        from kitchen_tui.cli.views.schedules import schedules_list

        console = screen()
        console.print(schedules_list(found, console.width))
    else:
        say('No schedules yet. Add one: kitchen schedule add nightly "nightly 22:00" sl_basic')


@app.command()
def show(schedule: Schedule, as_json: AsJson = False) -> None:
    """Show one schedule: its times, what it launches, and how its last firing went."""
    with connected() as client:
        found = client.schedule(schedule)
    if as_json:
        emit_json(found)
    else:
        from kitchen_tui.cli.views.schedules import schedule_page

        screen().print(schedule_page(found))


@app.command()
def remove(schedule: Schedule, as_json: AsJson = False) -> None:
    """Forget a schedule. Runs that it has made stay."""
    with connected() as client:
        removed = client.remove_schedule(schedule)
    if as_json:
        emit_json(removed)
    else:
        emit(f"{removed.name}  removed")


@app.command()
def enable(schedule: Schedule, as_json: AsJson = False) -> None:
    """Let a schedule launch runs again. What it would have done meanwhile is left."""
    _set_enabled(schedule, enabled=True, as_json=as_json)


@app.command()
def disable(schedule: Schedule, as_json: AsJson = False) -> None:
    """Let a schedule launch nothing until it is enabled."""
    _set_enabled(schedule, enabled=False, as_json=as_json)


@app.command()
def fire(schedule: Schedule, as_json: AsJson = False) -> None:
    """Launch a schedule's run now, beside its own times."""
    with connected() as client:
        run = client.fire_schedule(schedule)
    if as_json:
        emit_json(run)
    else:
        emit(f"{run.id}  {run.status.value}  {run.name}")
        say(f"watch it: kitchen watch {run.id}")


@app.command()
def plan(
    until: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help='How far to look: 12:00, "in 2d".  [default: the next 09:00]'
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what will run when, by the quotes."""
    with connected() as client:
        night = client.night(until)
    if as_json:
        emit_json(night)
    elif night.runs:
        from kitchen_tui.cli.views.night import night_page

        console = screen()
        console.print(night_page(night, console.width))
    else:
        say("Nothing runs, waits or is scheduled until then. Queue a run: kitchen run sl_basic")


def _set_enabled(schedule: str, *, enabled: bool, as_json: bool) -> None:
    with connected() as client:
        changed = client.enable_schedule(schedule, enabled)
    if as_json:
        emit_json(changed)
    else:
        from kitchen_tui.cli.views.schedules import due

        emit(f"{changed.name}  {due(changed)}")
