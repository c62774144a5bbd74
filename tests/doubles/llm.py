"""A server of OpenAI's chat completions on loopback: real HTTP, answers and faults as they are put in."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MODEL = "parrot"
KEY = "sk-good"


@dataclass
class ChatDouble:
    """The one model `parrot` repeats what it is asked, in at most so many words.

    faults: answered first. asked: the bodies of all requests, and headers: theirs. needs_key: whether
    only KEY is let in. message, finish_reason: said in place of the answer's own.
    """

    faults: list[Response] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    needs_key: bool = False
    hangs_s: float = 0.0
    message: dict[str, Any] | None = None
    finish_reason: str | None = None
    address: str = ""

    async def models(self, request: Request) -> Response:
        if self.faults:
            return self.faults.pop(0)
        entry = {"id": MODEL, "object": "model", "created": 1, "owned_by": "nobody"}
        return JSONResponse({"object": "list", "data": [entry]})

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        await asyncio.sleep(self.hangs_s)
        if self.faults:
            return self.faults.pop(0)
        if self.needs_key and request.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "invalid_api_key")
        if body["model"] != MODEL:
            return error(404, "model_not_found")
        words = body["messages"][-1]["content"].split(" ")
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        message = {"role": "assistant", "content": " ".join(words[:limit])}
        finish = "length" if len(words) > limit else "stop"
        choice = {
            "index": 0,
            "message": self.message or message,
            "finish_reason": self.finish_reason or finish,
        }
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL}
        return JSONResponse({**answer, "choices": [choice]})


def error(status: int, code: str, **headers: str) -> Response:
    """An error as OpenAI sends it."""
    body = {"error": {"message": f"no: {code}", "type": "x", "param": None, "code": code}}
    return JSONResponse(body, status, {k.replace("_", "-"): v for k, v in headers.items()})


@contextmanager
def serve_chat(double: ChatDouble) -> Iterator[ChatDouble]:
    """The server on a free port of loopback, in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    double.address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    chat = Route("/v1/chat/completions", double.chat, methods=["POST"])
    app = Starlette(routes=[chat, Route("/v1/models", double.models)])
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.should_exit = True
        thread.join()
