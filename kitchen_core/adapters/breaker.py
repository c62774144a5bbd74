"""Holding back the calls of a service that is down, so that not each of them finds out by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kitchen_core.train.ports.errors import PortError, Timeout, Unavailable

Result = TypeVar("Result")
Tell = Callable[[str, float | None], None]
"""Takes what there is to say of the service, and in how many seconds it is asked again."""


class Breaker:
    """Shared by all calls of a client.

    After `failures` in a row that mean "down" it holds every call back for `wait_s` seconds by the event
    loop's clock. Then one goes ahead as a trial, and the others wait for how it ends. An answer of any kind,
    a refusal too, says that the service is up.
    """

    def __init__(self, failures: int, wait_s: float, tell: Tell) -> None:
        self._limit = failures
        self._wait_s = wait_s
        self._tell = tell
        self._in_a_row = 0
        self._asks_at: float | None = None
        self._gate = asyncio.Lock()
        """Held by the trial; those held back take turns at being it."""

    @property
    def wait_s(self) -> float:
        """Seconds until the service is asked again; 0 where nothing is held back."""
        if self._asks_at is None:
            return 0.0
        return max(0.0, self._asks_at - asyncio.get_running_loop().time())

    async def ask(self, request: Callable[[], Awaitable[Result]]) -> Result:
        """What the request gives, asked once nothing holds it back."""
        if self._asks_at is not None:
            async with self._gate:
                if self._asks_at is not None:
                    await asyncio.sleep(self.wait_s)
                    return await self._asked(request, is_trial=True)
        return await self._asked(request, is_trial=False)

    async def _asked(self, request: Callable[[], Awaitable[Result]], *, is_trial: bool) -> Result:
        try:
            result = await request()
        except (Unavailable, Timeout) as error:
            self._failed(error, is_trial=is_trial)
            raise
        except PortError:
            self._answered()
            raise
        self._answered()
        return result

    def _failed(self, error: PortError, *, is_trial: bool) -> None:
        self._in_a_row += 1
        if is_trial or (self._asks_at is None and self._in_a_row >= self._limit):
            self._asks_at = asyncio.get_running_loop().time() + self._wait_s
            self._tell(f"down, {error.message}", self._wait_s)

    def _answered(self) -> None:
        self._in_a_row = 0
        if self._asks_at is not None:
            self._asks_at = None
            self._tell("answers again", None)
