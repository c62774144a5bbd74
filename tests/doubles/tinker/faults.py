"""What goes wrong, when a test says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

QueueState = Literal["paused_capacity", "paused_rate_limit"]
Handle = Callable[[], Awaitable[Response]]
Act = Callable[[Request, Handle], Awaitable[Response]]


class Gate:
    """A request is held here until `open` is called, or until who asked goes away."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        """A request is here."""
        self._opened: Future[None] = Future()

    def open(self) -> None:
        """Let through what is held and what comes."""
        if not self._opened.done():
            self._opened.set_result(None)

    async def pass_through(self, request: Request | None = None) -> bool:
        """Wait until the gate is open. False where who asked has gone away before."""
        self.reached.set()
        waits = [asyncio.ensure_future(asyncio.shield(asyncio.wrap_future(self._opened)))]
        if request is not None:
            waits.append(asyncio.ensure_future(_gone(request)))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for waiting in waits:
            waiting.cancel()
        return self._opened.done()


async def _gone(request: Request) -> None:
    await request.body()
    while (await request.receive())["type"] != "http.disconnect":
        pass


@dataclass
class Fault:
    """What happens to the next `times` requests with `path` in their path."""

    path: str
    times: int
    act: Act


class Faults:
    """The faults to come. Each is used up by the requests that it meets."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._failures: list[tuple[str, dict[str, Any]]] = []
        self._gates: list[Gate] = []
        self._pause: Gate | None = None
        self.pause_state: tuple[QueueState, str] | None = None

    def status(
        self, path: str, status: int, *, times: int = 1, retry_after_ms: int | None = None
    ) -> None:
        """Answer with an HTTP status and do nothing."""
        headers = {} if retry_after_ms is None else {"retry-after-ms": str(retry_after_ms)}

        async def act(request: Request, handle: Handle) -> Response:
            return JSONResponse({"detail": f"scripted {status}"}, status, headers)

        self._add(path, times, act)

    def hang(self, path: str, *, times: int = 1) -> Gate:
        """Take the request and do nothing until the gate is opened."""
        gate = self._gate()

        async def act(request: Request, handle: Handle) -> Response:
            stayed = await gate.pass_through(request)
            return await handle() if stayed else Response(status_code=503)

        self._add(path, times, act)
        return gate

    def slow(self, path: str, *, times: int = 1) -> Gate:
        """Do what is asked, but answer only when the gate is opened."""
        gate = self._gate()

        async def act(request: Request, handle: Handle) -> Response:
            response = await handle()
            await gate.pass_through(request)
            return response

        self._add(path, times, act)
        return gate

    def garbage(self, path: str, *, times: int = 1) -> None:
        """Do what is asked, and answer with bytes that mean nothing."""

        async def act(request: Request, handle: Handle) -> Response:
            response = await handle()
            return Response(b"\xff\x00 not this", 200, media_type=response.media_type)

        self._add(path, times, act)

    def cut(self, path: str, *, times: int = 1) -> None:
        """Do what is asked, and break off in the middle of the answer."""

        async def act(request: Request, handle: Handle) -> Response:
            response = await handle()
            return _Half(response.body, response.status_code, media_type=response.media_type)

        self._add(path, times, act)

    def fail(
        self, kind: str, message: str, *, category: Literal["user", "server"] = "server"
    ) -> None:
        """Promise the next work of this kind (`optim_step`, `asample`, ...), and fail in doing it."""
        self._failures.append((kind, {"error": message, "category": category}))

    def pause(self, state: QueueState = "paused_capacity", reason: str = "no room") -> None:
        """Do no work, and tell who asks that it waits, until `resume`."""
        self._pause = self._gate()
        self.pause_state = (state, reason)

    def resume(self) -> None:
        """Go on working."""
        if self._pause is not None:
            self._pause.open()
        self._pause = self.pause_state = None

    async def working(self) -> None:
        """Wait until work is done (again)."""
        if self._pause is not None:
            await self._pause.pass_through()

    def failure_of(self, kind: str) -> dict[str, Any] | None:
        """The failure that work of this kind was scripted to have, which is used up."""
        for index, (of, failure) in enumerate(self._failures):
            if of == kind:
                del self._failures[index]
                return failure
        return None

    async def around(self, request: Request, handle: Handle) -> Response:
        """The request as it is handled, or what goes wrong in its place."""
        for fault in self._faults:
            if fault.path in request.url.path:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
                return await fault.act(request, handle)
        return await handle()

    def clear(self) -> None:
        """Nothing goes wrong any more, and nothing is held."""
        self.resume()
        self._faults.clear()
        self._failures.clear()
        for gate in self._gates:
            gate.open()
        self._gates.clear()

    def _add(self, path: str, times: int, act: Act) -> None:
        self._faults.append(Fault(path, times, act))

    def _gate(self) -> Gate:
        gate = Gate()
        self._gates.append(gate)
        return gate


@dataclass
class Record:
    """What the double was asked: methods and paths in order, headers, and telemetry that came."""

    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    telemetry: list[dict[str, Any]] = field(default_factory=list)

    def asked(self, path: str) -> int:
        """How many requests had this in their path."""
        return sum(path in request for request in self.requests)


class _Half(Response):
    """A response that ends before its body does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
