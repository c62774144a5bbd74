"""The server: requests in, faults first, answers out."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
import zstandard
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kitchen_core.train.ports.training import TrainingClient
from tests.doubles.tinker import calls, rest, wire
from tests.doubles.tinker.checkpoints import Checkpoint
from tests.doubles.tinker.faults import Faults, Record
from tests.doubles.tinker.refused import Refused
from tests.doubles.tinker.world import World

KEY = "tml-good"
API = "/api/v1"
PROTOBUF = "application/x-protobuf"
TO_BE_SENT_AGAIN = (402, 408, 409, 429)
Respond = Callable[[Request], Awaitable[Response]]


@dataclass
class TinkerDouble(Record):
    """The service, with base models by name and a backend that trains them. Its methods may be called
    from any thread.

    config: flags that clients are told at their start. poll_s: how long a promise is waited for
    before a client is to ask again. lost_status: what is answered about a promise that was forgotten.
    """

    client: TrainingClient = field(kw_only=True)
    bases: dict[str, Path] = field(kw_only=True)
    folder: Path = field(kw_only=True)
    config: dict[str, Any] = field(default_factory=dict)
    poll_s: float = 10.0
    lost_status: int = 410
    faults: Faults = field(default_factory=Faults)
    base_url: str = ""

    def checkpoints(self) -> list[Checkpoint]:
        """What is kept."""
        return self._world.checkpoints.list()

    def advance(self, time: timedelta) -> None:
        """Let time go by, and checkpoints expire."""
        self._world.checkpoints.now += time

    def forget(self) -> None:
        """Lose all sessions, models and promises, as after a restart; checkpoints stay."""
        self.run(self._world.forget())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the server's thread."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def open(self) -> None:
        """Begin, in the thread that answers."""
        self._loop = asyncio.get_running_loop()
        self._world = World(self.client, self.bases, self.folder, self.faults)

    async def close(self) -> None:
        """Hold nothing any more."""
        self.faults.clear()
        await self._world.forget()

    def routes(self) -> list[Route]:
        """All that is answered."""
        posts = {
            "/client/config": self._config,
            "/client/dynamic_config": self._dynamic_config,
            "/forward_backward": self._pass,
            "/retrieve_future": self._retrieve,
            "/telemetry": self._telemetry,
        }
        asked = [*rest.ASKED, ("GET", "/healthz", rest.capabilities)]
        return [
            *(self._route("POST", API + path, respond) for path, respond in posts.items()),
            *(
                self._route("POST", f"{API}/{name}", self._called(c))
                for name, c in calls.CALLS.items()
            ),
            *(self._route(method, API + path, self._asked(ask)) for method, path, ask in asked),
            Route("/files/{folder}/{name:path}", self._signed_file),
        ]

    def _route(self, method: str, path: str, respond: Respond) -> Route:
        async def endpoint(request: Request) -> Response:
            self.requests.append(f"{method} {request.url.path}")
            self.headers.append(dict(request.headers))
            if request.headers.get("x-api-key") != KEY:
                return JSONResponse({"detail": "the key is not known"}, 401)
            response = await self.faults.around(request, lambda: _refusable(respond, request))
            await self._pass_turn(request, response.status_code)
            return response

        return Route(path, endpoint, methods=[method])

    async def _pass_turn(self, request: Request, status: int) -> None:
        """A request that was refused for good must not hold up those with higher numbers."""
        if not 400 <= status < 500 or status in TO_BE_SENT_AGAIN:
            return
        body = await _body(request)
        if request.headers.get("content-type") == PROTOBUF:
            model_id, number = wire.read_order(body)
        else:
            sent = json.loads(body or b"{}")
            model_id, number = sent.get("model_id"), sent.get("seq_id")
        model = self._world.models.get(model_id)
        if model is not None and number is not None:
            model.line.put(number, None)

    def _called(self, call: calls.Call) -> Respond:
        async def respond(request: Request) -> Response:
            return JSONResponse(await call(self._world, await request.json()))

        return respond

    def _asked(self, ask: rest.Ask) -> Respond:
        async def respond(request: Request) -> Response:
            return await ask(self._world, request)

        return respond

    async def _signed_file(self, request: Request) -> Response:
        """Who has the address needs no key."""
        return await _refusable(self._asked(rest.file), request)

    async def _config(self, request: Request) -> Response:
        return JSONResponse(self.config)

    async def _dynamic_config(self, request: Request) -> Response:
        return JSONResponse({})

    async def _telemetry(self, request: Request) -> Response:
        self.telemetry.append(await request.json())
        return JSONResponse({"status": "accepted"})

    async def _pass(self, request: Request) -> Response:
        return JSONResponse(await calls.forward_backward(self._world, await _body(request)))

    async def _retrieve(self, request: Request) -> Response:
        found = await calls.retrieve(
            self._world,
            self.faults,
            request,
            poll_s=0.02 if self.faults.pause_state else self.poll_s,
            lost_status=self.lost_status,
        )
        if isinstance(found, bytes):
            return Response(found, media_type=PROTOBUF)
        return JSONResponse(found)


async def _body(request: Request) -> bytes:
    body = await request.body()
    if request.headers.get("content-encoding") == "zstd":
        return zstandard.ZstdDecompressor().decompress(body)
    return body


async def _refusable(respond: Respond, request: Request) -> Response:
    try:
        return await respond(request)
    except calls.NotYet as wait:
        return JSONResponse(wait.told, wait.status)
    except Refused as refused:
        return JSONResponse({"detail": refused.detail}, refused.status)


@contextmanager
def serve_tinker(double: TinkerDouble) -> Iterator[TinkerDouble]:
    """The service on a free port of loopback, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    double.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = Starlette(routes=double.routes())
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    opened = threading.Event()

    async def serve() -> None:
        await double.open()
        opened.set()
        await server.serve([listener])
        await double.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    opened.wait()
    try:
        yield double
    finally:
        double.faults.clear()
        server.should_exit = True
        thread.join()
