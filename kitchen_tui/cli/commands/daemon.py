"""The daemon: up, down, status, doctor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from kitchen_tui.cli import daemon
from kitchen_tui.cli.arguments import AsJson, Probe
from kitchen_tui.cli.daemon import connected
from kitchen_tui.cli.errors import Exit, Failure
from kitchen_tui.cli.output import emit, emit_json, say, screen

if TYPE_CHECKING:
    from kitchen_daemon.client import Client
    from kitchen_daemon.models import DaemonStatus, QueueInfo

MOST_NAMED = 5


def up() -> None:
    """Start the daemon, unless it runs. Other commands do so by themselves."""
    from kitchen_core.home import Home

    home = Home.find()
    started = daemon.ensure_running(home)
    say(f"The daemon {'is up' if started else 'runs already'} on {home.root}")


def down() -> None:
    """Stop the daemon. Runs that are under way go on."""
    from kitchen_core.home import Home

    if not daemon.answers(Home.find()):
        say("No daemon runs.")
        return
    with connected(start=False) as client:
        status = client.status()
        client.shutdown()
    if not daemon.wait_until_ended(status.pid):
        raise Failure(
            f"the daemon (pid {status.pid}) has not stopped", "try again", Exit.RUN_FAILED
        )
    say("The daemon has stopped.")
    if status.running:
        say(f"These runs go on: {_some(status.running)}")
    if status.queued:
        say(f"These wait until it is up again: {_some(status.queued, status.queued_count)}")


def status(as_json: AsJson = False) -> None:
    """Say whether the daemon runs, and what it is doing. Does not start it."""
    with connected(start=False) as client:
        found = client.status()
        if as_json:
            emit_json(found)
            return
        queue = _queue(client)
    from kitchen_tui.cli.views.style import facts
    from kitchen_tui.format import date

    screen().print(
        facts(
            [
                ("daemon", f"{found.version}, pid {found.pid}, since {date(found.started_at)}"),
                ("home", found.home),
                ("socket", found.socket),
                *(_by_ids(found) if queue is None else _by_names(queue)),
                ("standby", "a worker is warm" if found.standby_ready else "warming up"),
            ]
        )
    )


def doctor(probe: Probe = False, as_json: AsJson = False) -> None:
    """Check what works here and name what is missing. Exits with 1 if something is, other than what is
    only not set up (○).
    """
    with connected() as client:
        checks = client.doctor(probe=probe)
    if as_json:
        emit_json(checks)
    for check in () if as_json else checks:
        sign = "✓" if check.ok else "○" if check.optional else "✗"
        emit(f"{sign} {check.name}: {check.detail}")
        if check.hint:
            emit(f"  hint: {check.hint}")
    if not all(check.ok or check.optional for check in checks):
        raise typer.Exit(Exit.RUN_FAILED)


def _some(runs: list[str], count: int | None = None) -> str:
    """The first of the runs, and how many more there are. count: of all, where these are not all."""
    more = (len(runs) if count is None else count) - MOST_NAMED
    named = ", ".join(runs[:MOST_NAMED]) or "nothing"
    return f"{named} and {more:,} more" if more > 0 else named


def _queue(client: Client) -> QueueInfo | None:
    """What runs, and the first that waits; nothing where a daemon of another version can't tell."""
    from kitchen_daemon.client import Refused

    try:
        return client.queue(limit=1)
    except Refused:
        return None


def _by_names(queue: QueueInfo) -> Iterator[tuple[str, str]]:
    if queue.is_paused:
        yield "queue", "paused; go on with: kitchen queue resume"
    yield "running", _some([f"{run.name} {run.id}" for run in queue.running])
    yield "waiting", f"{queue.waiting_count:,}" if queue.waiting_count else "nothing"
    for run in queue.waiting:
        yield "first", f"{run.name} {run.id}: {run.reason}"


def _by_ids(status: DaemonStatus) -> Iterator[tuple[str, str]]:
    yield "running", _some(status.running)
    yield "queued", _some(status.queued, status.queued_count)
