"""The queue: what runs and waits, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kitchen_tui.cli import completion
from kitchen_tui.cli.arguments import AsJson, WaitingNames, possible_name
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Failure
from kitchen_tui.cli.output import emit, emit_json, say, screen
from kitchen_tui.cli.several import ask_each

if TYPE_CHECKING:
    from kitchen_daemon.models import QueueInfo

DEFAULT_LIMIT = 20
ALL = 1_000_000_000

app = typer.Typer(
    help="Show what runs and what waits, and change their order.", rich_markup_mode=None
)

Group = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Only this group.", autocompletion=completion.groups),
]


@app.callback(invoke_without_command=True)
def _queue(
    ctx: typer.Context,
    group: Group = None,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="So many of those that wait; 0: all.")
    ] = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    if ctx.invoked_subcommand is None:
        _list(group, limit or ALL, as_json)


@app.command()
def move(
    runs: WaitingNames,
    first: Annotated[bool, typer.Option("--first", help="Before all others.")] = False,
    last: Annotated[bool, typer.Option("--last", help="Behind all others.")] = False,
    before: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Right before this one, with its priority.",
            autocompletion=completion.waiting,
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Right behind this one, with its priority.",
            autocompletion=completion.waiting,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give waiting runs another place."""
    to, other = _place(first=first, last=last, before=before, after=after)
    with connected() as client:
        ask_each(
            client,
            # Each goes right to its place, so that those named first have to come last to stand first.
            runs[::-1] if to in ("first", "after") else runs,
            lambda run: client.move(run, to, other),
            lambda run: f"{run.id}  moved",
            as_json=as_json,
        )


@app.command()
def hold(runs: WaitingNames, as_json: AsJson = False) -> None:
    """Keep waiting runs from starting until you release them."""
    with connected() as client:
        ask_each(client, runs, client.hold, lambda run: f"{run.id}  held", as_json=as_json)


@app.command()
def release(runs: WaitingNames, as_json: AsJson = False) -> None:
    """Let held runs go."""
    with connected() as client:
        ask_each(
            client,
            runs,
            client.release,
            lambda run: f"{run.id}  {run.status.value}{f': {run.reason}' if run.reason else ''}",
            as_json=as_json,
        )


@app.command(context_settings={"ignore_unknown_options": True})  # a priority may be below zero
def priority(
    runs: WaitingNames,
    value: Annotated[int, typer.Argument(metavar="N", min=-1000, max=1000, help="Higher first.")],
    as_json: AsJson = False,
) -> None:
    """Give waiting runs another priority."""
    with connected() as client:
        ask_each(
            client,
            runs,
            lambda run: client.change(run, priority=value),
            lambda run: f"{run.id}  priority {run.priority}",
            as_json=as_json,
        )


@app.command()
def group(
    runs: WaitingNames,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The group.", autocompletion=completion.groups),
    ],
    as_json: AsJson = False,
) -> None:
    """Put waiting runs into another group."""
    with connected() as client:
        ask_each(
            client,
            runs,
            lambda run: client.change(run, group=name),
            lambda run: f"{run.id}  in group {run.queue_group}",
            as_json=as_json,
        )


@app.command()
def pause(
    group: Group = None,
    let_finish: Annotated[
        bool, typer.Option("--let-finish", help="What runs goes on to its end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start nothing more; what runs saves itself and stops."""
    with connected() as client:
        queue = client.pause_queue(group=group, let_finish=let_finish)
    if as_json:
        emit_json(queue)
        return
    emit(f"{_whole(group)} is paused")
    running = ", ".join(f"{run.name} {run.id}" for run in queue.running)
    if running:
        say(f"{'these go on to their end' if let_finish else 'these save themselves'}: {running}")
    say(f"go on with: kitchen queue resume{f' --group {group}' if group else ''}")


@app.command()
def resume(group: Group = None, as_json: AsJson = False) -> None:
    """End a pause; what it has stopped goes on."""
    with connected() as client:
        queue = client.resume_queue(group=group)
    if as_json:
        emit_json(queue)
        return
    emit(f"{_whole(group)} goes on")


@app.command()
def limit(
    name: Annotated[
        str,
        typer.Argument(
            metavar="GROUP",
            help='The group; "*" for all of them together.',
            autocompletion=completion.groups,
        ),
    ],
    most: Annotated[
        str, typer.Argument(metavar="N|none", help="So many of its runs at a time; none: no limit.")
    ],
    as_json: AsJson = False,
) -> None:
    """Let only so many runs of a group run at the same time."""
    count = _count(most)
    with connected() as client:
        queue = client.set_group(name, count)
    if as_json:
        emit_json(queue)
    else:
        allowed = "as many runs as fit" if count is None else f"{most} at a time"
        emit(f"group {name}: {allowed}")


@app.command()
def groups(as_json: AsJson = False) -> None:
    """List the groups: how many of each run and wait."""
    with connected() as client:
        found = client.queue(limit=0).groups
    if as_json:
        emit_json(found)
        return
    from kitchen_tui.cli.views.queue import groups_table

    screen().print(groups_table(found))


def _list(group: str | None, limit: int, as_json: bool) -> None:
    with connected() as client:
        queue = client.queue(group=group, limit=limit)
    if group is not None:
        _check_group(group, queue)
    if as_json:
        emit_json(queue)
        return
    from kitchen_tui.cli.views.queue import queue_page

    console = screen()
    console.print(queue_page(queue, console.width, group))
    if not queue.running and not queue.waiting_count:
        say(_nothing(group))


def _check_group(group: str, queue: QueueInfo) -> None:
    """Raises Failure for a group that there is not, for it is likely a slip."""
    from kitchen_core.needs import EVERY_GROUP

    there_are = [each.name for each in queue.groups if each.name != EVERY_GROUP]
    if group not in there_are:
        raise Failure(f"there is no group '{group}'", f"there are: {', '.join(there_are)}")


def _nothing(group: str | None) -> str:
    chosen = f" --group {group}" if group else ""
    of = f" of group {group}" if group else ""
    return f"Nothing{of} runs, and nothing waits. Start a run: kitchen run sl_basic{chosen} --watch"


def _place(
    *, first: bool, last: bool, before: str | None, after: str | None
) -> tuple[Literal["first", "last", "before", "after"], str | None]:
    asked = [first, last, before is not None, after is not None]
    if sum(asked) != 1:
        raise Failure(
            "a run goes to one place", "give one of --first, --last, --before RUN, --after RUN"
        )
    if before is not None:
        return "before", possible_name(before)
    if after is not None:
        return "after", possible_name(after)
    return ("first" if first else "last"), None


def _count(text: str) -> int | None:
    """A group's limit. Raises Failure for what is none."""
    if text.strip().lower() == "none":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise Failure(f"'{text}' is no number of runs", "write 1, 2, ... or none")
    return int(text)


def _whole(group: str | None) -> str:
    return f"group {group}" if group else "the queue"
