"""From the compute thread to whoever reads along.

A stream is one piece of work on the thread, as `sample` is. So it keeps its place in the order in
which work was submitted: what came before it is in its weights, nothing that comes after touches
them, and its tokens are those of `sample`. What is submitted behind it waits until it ends, which
is at the next token once the reader has left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import closing, suppress
from threading import Event
from typing import TypeVar

from kitchen_core.adapters.compute_thread import ComputeThread

Item = TypeVar("Item")


async def streamed(
    thread: ComputeThread, asked: str, items: Callable[[], Generator[Item, None, None]]
) -> AsyncGenerator[Item, None]:
    """What `items` yields on the compute thread, as it comes; raises what it raises.

    The work is submitted when the first item is asked for. A slow reader does not hold up the
    thread.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Item | None] = asyncio.Queue()
    left = Event()

    def work() -> None:
        with closing(items()) as coming:
            while not left.is_set() and (item := next(coming, None)) is not None:
                loop.call_soon_threadsafe(arrived.put_nowait, item)

    done = asyncio.ensure_future(thread.submit(asked, work))
    done.add_done_callback(lambda _: arrived.put_nowait(None))
    try:
        while (item := await arrived.get()) is not None:
            yield item
        await done
    finally:
        left.set()
        done.add_done_callback(_take_note)


def _take_note(done: asyncio.Future[None]) -> None:
    """A failure after the reader has left concerns nobody, and is not to be reported as lost."""
    with suppress(asyncio.CancelledError):
        done.exception()
