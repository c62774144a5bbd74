"""One thread on which everything of a session runs, in the order in which it was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kitchen_core.train.ports.errors import PortError

Result = TypeVar("Result")
Translate = Callable[[Exception], Exception]
"""Turns what a backend raised into a PortError (or leaves it, as with a full disk)."""


class ComputeThread:
    """Runs work off the event loop, one piece at a time, in submission order.

    A piece that fails fails its own handle only. Cancelling the wait for a handle leaves the work
    in its place: what was submitted is done, so that a later `save_state` means the same whoever
    stopped waiting.
    """

    def __init__(self, port: str, adapter: str, translate: Translate) -> None:
        self._port = port
        self._adapter = adapter
        self._translate = translate
        self._closed = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"{adapter}-compute")

    def submit(self, asked: str, work: Callable[[], Result]) -> Awaitable[Result]:
        """Put `work` in the queue and return its handle at once. `asked` names it in errors."""
        loop = asyncio.get_running_loop()
        if self._closed:
            refused: asyncio.Future[Result] = loop.create_future()
            refused.set_exception(self._named(PortError("the session is closed"), asked))
            return refused

        def run() -> Result:
            try:
                return work()
            except PortError as error:
                raise self._named(error, asked) from error.__cause__
            except Exception as error:  # every failure of a backend becomes one of the family
                raise self._named(self._translate(error), asked) from error

        return asyncio.shield(asyncio.wrap_future(self._executor.submit(run), loop=loop))

    async def close(self, release: Callable[[], None]) -> None:
        """Wait for what was submitted, run `release` last, and end the thread. May be called twice."""
        if self._closed:
            return
        released = self.submit("close", release)
        self._closed = True
        self._executor.shutdown(wait=False)
        await released

    def _named(self, error: Exception, asked: str) -> Exception:
        if isinstance(error, PortError):
            error.port = error.port or self._port
            error.adapter = error.adapter or self._adapter
            error.asked = error.asked or asked
        return error
