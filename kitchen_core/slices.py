"""Long work off the event loop: a stream a slice of time at a time, and what a context needs to open
and to close.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

SLICE_S = 0.2
"""Seconds in a thread before the event loop is asked whether to go on."""


async def drain(
    items: Iterable[T], take: Callable[[T], None], between: Callable[[int], None]
) -> int:
    """Hand every item to `take` in a worker thread; returns how many there were.

    between: told on the event loop, after every slice, how many have been; it may raise to stop.
    """
    left = iter(items)
    done, ended = 0, False
    while not ended:
        taken, ended = await asyncio.to_thread(_take_slice, left, take)
        done += taken
        between(done)
    return done


@asynccontextmanager
async def in_thread(context: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context that is entered and left in a worker thread; the block itself stays on the loop."""
    entered = await asyncio.to_thread(context.__enter__)
    try:
        yield entered
    except BaseException as error:
        if not await asyncio.to_thread(context.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await asyncio.to_thread(context.__exit__, None, None, None)


def _take_slice(items: Iterator[T], take: Callable[[T], None]) -> tuple[int, bool]:
    """How many items went by, and whether those were the last."""
    until = time.monotonic() + SLICE_S
    taken = 0
    for item in items:
        take(item)
        taken += 1
        if time.monotonic() >= until:
            return taken, False
    return taken, True
