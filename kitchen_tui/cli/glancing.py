"""Keeping an eye on the kitchen: asking for a glance at a steady rate and drawing it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from rich.console import Console, ConsoleDimensions
from rich.live import Live

from kitchen_daemon.client import Client, Refused, Unreachable
from kitchen_tui.cli.keys import keys
from kitchen_tui.cli.views.top import Glance, top_page

ASK_SECONDS = 1.0
LOOK_SECONDS = 0.25
"""So often the terminal is looked at: for a key, for another size."""

CLOCK_SECONDS = 15.0
"""So often it is asked for what the clock changes next."""

MOST_WAITING = 60
"""As many as fit on a tall screen."""

_AWAY = "reconnecting… (kitchen up starts the daemon)"
_LEAVING = ("q", "Q", "\x1b", "\x04")  # Escape and Ctrl-D mean it as well


def glance(client: Client, waiting: int, before: Glance | None = None) -> Glance:
    """What is known of the kitchen now, with the first so many runs that wait. What the clock changes next is taken
    from the glance before, if any.
    """
    return Glance(
        at=time.time(),
        machine=client.machine(),
        queue=client.queue(limit=waiting),
        windows=before.windows if before else client.windows(),
        schedules=before.schedules if before else client.schedules(),
    )


def keep_glancing(client: Client, console: Console) -> None:
    """Draw the kitchen until q or Ctrl-C. A daemon that goes away is waited for."""
    eye = _Eye(client)
    with (
        keys() as pressed,
        Live(console=console, screen=True, auto_refresh=False) as live,
        suppress(KeyboardInterrupt),
    ):
        drawn: tuple[Glance, ConsoleDimensions] | None = None
        while True:
            now = eye.look(), console.size
            if now != drawn:
                page = top_page(now[0], console, height=console.height)
                live.update(page, refresh=True)
                drawn = now
            if pressed(LOOK_SECONDS) in _LEAVING:
                return


class _Eye:
    """Asks for a glance when it is due, and keeps the last one while there is none to be had."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen = glance(client, MOST_WAITING)
        self._asked_at = self._clock_at = time.monotonic()

    def look(self) -> Glance:
        """The newest glance."""
        now = time.monotonic()
        if now - self._asked_at < ASK_SECONDS:
            return self._seen
        self._asked_at = now
        is_due = now - self._clock_at >= CLOCK_SECONDS or bool(self._seen.trouble)
        try:
            self._seen = glance(self._client, MOST_WAITING, None if is_due else self._seen)
        except Unreachable:
            self._seen = replace(self._seen, trouble=_AWAY)
        except Refused as refusal:
            self._seen = replace(self._seen, trouble=refusal.message)
        else:
            self._clock_at = now if is_due else self._clock_at
        return self._seen
