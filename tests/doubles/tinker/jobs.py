"""Work that is promised now and done later: promises by request id, and a model's requests in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from kitchen_core.train.ports.errors import PortError
from tests.doubles.tinker.faults import Faults

Answer = bytes | dict[str, Any]
"""A result: protobuf, or JSON; one with `error` and `category` tells that the work failed."""
Work = Callable[[], Awaitable[Answer]]


class Promises:
    """What was promised, by request id. The same request, sent twice, is one promise."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._promised: dict[str, asyncio.Future[Answer]] = {}

    def get(self, request_id: str) -> asyncio.Future[Answer] | None:
        """The promise, None where there is none (any more)."""
        return self._promised.get(request_id)

    def make(self, request_id: str, kind: str, work: Work) -> Callable[[], Awaitable[None]]:
        """Promise the work, and give what keeps the promise. kind: the end of the request's path."""
        promised: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._promised[request_id] = promised
        failure = self._faults.failure_of(kind)

        async def keep() -> None:
            await self._faults.working()
            found = failure or await _answered(work)
            if not promised.done():
                promised.set_result(found)

        return keep

    def forget(self) -> None:
        """Promise nothing of this any more; who waits is told."""
        for promised in self._promised.values():
            promised.cancel()
        self._promised.clear()


async def _answered(work: Work) -> Answer:
    try:
        return await work()
    except PortError as error:
        return failed(f"{error} {error.hint}".strip(), "user")
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}", "server")


def failed(message: str, category: str) -> Answer:
    """The result of work that failed. category: whose fault it is, `user` or `server`."""
    return {"error": message, "category": category}


class Line:
    """Work in the order of its numbers, which begin with 0, one at a time, whenever it comes in."""

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, Callable[[], Awaitable[None]] | None] = {}
        self._ready: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._worker = asyncio.create_task(self._work())

    def put(self, number: int, work: Callable[[], Awaitable[None]] | None) -> None:
        """Work in its turn; None passes the turn on, of a request that was refused."""
        self._waiting[number] = work
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._next += 1
            if ready is not None:
                self._ready.put_nowait(ready)

    async def _work(self) -> None:
        while True:
            await (await self._ready.get())()

    async def close(self) -> None:
        """Stop, once what is being done is done with."""
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)
