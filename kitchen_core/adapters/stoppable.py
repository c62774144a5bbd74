"""Blocking work in a thread of its own that stops when nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

Result = TypeVar("Result")
Check = Callable[[], None]

PATIENCE_S = 30.0
"""How long a cancelled caller waits for its thread to leave things in order."""


class Stopped(Exception):  # noqa: N818 - named by the condition
    """The work was told to stop."""


async def in_thread(work: Callable[[Check], Result]) -> Result:
    """What `work` gives. It is handed a check that raises Stopped once the caller is cancelled, to be
    called where it can stop; the caller ends when the work has.
    """
    told = Event()

    def check() -> None:
        if told.is_set():
            raise Stopped

    task = asyncio.ensure_future(asyncio.to_thread(work, check))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        told.set()
        task.add_done_callback(_forget)
        await asyncio.wait([task], timeout=PATIENCE_S)
        raise


def _forget(task: asyncio.Future[Result]) -> None:
    """Take the outcome that nobody asks for."""
    if not task.cancelled():
        task.exception()
