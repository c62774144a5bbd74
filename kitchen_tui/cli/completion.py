"""What the shell may complete: names that the daemon knows. Quick, silent, and never starts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from kitchen_daemon.client import Client

_RECENT = 50


def recipes(incomplete: str) -> list[str]:
    """Recipe names."""
    return _asked(lambda client: [recipe.name for recipe in client.recipes()], incomplete)


def runs(incomplete: str) -> list[str]:
    """The ids and names of recent runs."""

    def names(client: Client) -> list[str]:
        recent = client.runs(limit=_RECENT)
        return list(
            dict.fromkeys([*(run.id for run in recent), *(run.name or "" for run in recent)])
        )

    return _asked(names, incomplete)


def waiting(incomplete: str) -> list[str]:
    """The ids and names of runs that wait in the queue."""

    def names(client: Client) -> list[str]:
        first = client.queue(limit=_RECENT).waiting
        return list(dict.fromkeys([*(run.id for run in first), *(run.name for run in first)]))

    return _asked(names, incomplete)


def groups(incomplete: str) -> list[str]:
    """The groups of the queue."""

    def names(client: Client) -> list[str]:
        from kitchen_core.needs import EVERY_GROUP

        known = client.queue(limit=0).groups
        return [group.name for group in known if group.name != EVERY_GROUP]

    return _asked(names, incomplete)


def windows(incomplete: str) -> list[str]:
    """The names of windows."""
    return _asked(lambda client: [window.name for window in client.windows()], incomplete)


def schedules(incomplete: str) -> list[str]:
    """The names of schedules."""
    return _asked(lambda client: [each.name for each in client.schedules()], incomplete)


def presets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The presets of the recipe that stands on the line."""
    # The parser stops at `--preset`, which has no value yet, and leaves the words before it.
    recipe = ctx.params.get("recipe") or next(iter(ctx.args), None)
    if not recipe:
        return []
    return _asked(lambda client: client.recipe(recipe).presets, incomplete)


def manifests(incomplete: str) -> list[str]:
    """The names of manifests."""
    return _asked(lambda client: client.manifests(), incomplete)


def adapters(incomplete: str) -> list[str]:
    """The names of installed adapters."""

    def names(client: Client) -> list[str]:
        ports = client.adapters().ports
        return sorted({name for port in ports for name in (port.adapter, *port.others) if name})

    return _asked(names, incomplete)


def statuses(incomplete: str) -> list[str]:
    """The statuses that a run can have."""
    from kitchen_core.telemetry.schema import RunStatus

    return [status for status in RunStatus if status.startswith(incomplete)]


def _asked(question: Callable[[Client], list[str]], incomplete: str) -> list[str]:
    with _quiet_client() as client:
        if client is None:
            return []
        try:
            return [name for name in question(client) if name.startswith(incomplete)]
        except (ValueError, ConnectionError):
            return []  # nothing must be printed into the user's half-typed line


@contextmanager
def _quiet_client() -> Iterator[Client | None]:
    from kitchen_core.home import Home
    from kitchen_tui.cli.daemon import answers

    home = Home.find()
    if not answers(home):
        yield None
        return
    from kitchen_daemon.client import Client

    with Client(home) as client:
        yield client
