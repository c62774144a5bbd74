"""Calls of a session take their turns in the order in which they were made, and are under way together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from kitchen_core.train.ports.errors import PortError

Result = TypeVar("Result")


class Turn:
    """One call's place in the order.

    `async with turn:` waits until all earlier calls have submitted what they have to submit. What is
    submitted inside stands in that order at the server, which works in it; results are waited for
    outside, so that the next call need not wait for them.
    """

    def __init__(self, before: Turn | None) -> None:
        self._before = before
        self._passed = asyncio.Event()
        self._done = asyncio.Event()

    async def __aenter__(self) -> None:
        if self._before:
            await self._before._passed.wait()

    async def __aexit__(self, *failure: object) -> None:
        self._passed.set()

    async def earlier_calls_are_done(self) -> None:
        """Wait until all earlier calls have ended, well or badly."""
        if self._before:
            await self._before._done.wait()

    def end(self) -> None:
        """Let the next ones pass, and forget those before."""
        self._before = None
        self._passed.set()
        self._done.set()


class Lane:
    """Gives turns. A call that fails fails its own handle only; cancelling the wait for a handle leaves
    the call in its place.
    """

    def __init__(self) -> None:
        self._last: Turn | None = None
        self._under_way: set[asyncio.Task[object]] = set()
        self.closed = False

    def submit(
        self, asked: str, work: Callable[[Turn], Coroutine[None, None, Result]]
    ) -> Awaitable[Result]:
        """Give `work` the next turn and return its handle at once. `asked` names it in errors."""
        if self.closed:
            refused: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            refused.set_exception(_named(PortError("the session is closed"), asked))
            return refused
        self._last = turn = Turn(self._last)
        task = asyncio.get_running_loop().create_task(_take(asked, turn, work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return asyncio.shield(task)

    async def close(self) -> None:
        """Take no more calls, and wait for those that are under way."""
        self.closed = True
        if self._under_way:
            await asyncio.wait(self._under_way)


async def _take(
    asked: str, turn: Turn, work: Callable[[Turn], Coroutine[None, None, Result]]
) -> Result:
    try:
        return await work(turn)
    except PortError as error:
        raise _named(error, asked) from error.__cause__
    except OSError:  # of this machine: a full disk, say
        raise
    except Exception as error:  # an answer that is not as it should be, say
        raise _named(PortError(f"{type(error).__name__}: {error}"), asked) from error
    finally:
        await turn.earlier_calls_are_done()
        turn.end()


def _named(error: PortError, asked: str) -> PortError:
    error.port = error.port or "training_client"
    error.adapter = error.adapter or "tinker"
    error.asked = asked
    return error
