"""An event loop whose clock jumps: where there is nothing to do but wait, the wait is over at once.

Sockets and threads are real, and what they bring always comes first. While somebody works elsewhere (a
server on an answer) the clock stands still; `Clock.working` says so. So it does while a thread works for the loop.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from kitchen_core.adapters.around import Around
from kitchen_core.train.ports.errors import Timeout

Result = TypeVar("Result")
_LOOK_EVERY_S = 0.005


class Clock(selectors.DefaultSelector):
    """Looks for I/O, and moves the time on when there is none. Seconds, from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.working: Callable[[], bool] = lambda: False
        self.threads_at_work = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if timeout is not None and timeout <= 0:  # there is something else to do
            return found
        while not found and (timeout is None or self.threads_at_work or self.working()):
            found = super().select(_LOOK_EVERY_S)
        if not found and timeout is not None:
            self.time += timeout
        return found


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.clock = clock

    def time(self) -> float:
        return self.clock.time

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.clock.threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, future: asyncio.Future[Any]) -> None:
        self.clock.threads_at_work -= 1


def on_fake_clock(main: Callable[[Clock], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine on a loop of its own, which is given the clock."""
    clock = Clock()
    with asyncio.Runner(loop_factory=lambda: _JumpingLoop(clock)) as runner:
        return runner.run(main(clock))


class Asking(Around):
    """A client of a real server: the clock stands still while an answer is on its way.

    hung: how many requests the server has decided to leave without one.
    """

    def __init__(self, client: Any, clock: Clock, hung: Callable[[], int] = lambda: 0) -> None:
        super().__init__(client)
        self.started: list[float] = []
        """When each call began."""
        self._clock = clock
        self._ended = self._given_up = 0
        clock.working = lambda: len(self.started) - self._ended > hung() - self._given_up

    async def _ask(self, name: str, request: Callable[[], Awaitable[Any]]) -> Any:
        self.started.append(self._clock.time)
        try:
            return await request()
        except (Timeout, asyncio.CancelledError):
            self._given_up += 1
            raise
        finally:
            self._ended += 1
