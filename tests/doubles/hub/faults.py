"""What can go wrong with a hub, on request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.responses import JSONResponse, Response, StreamingResponse


@dataclass(kw_only=True)
class Faults:
    """The faults that a hub answers with.

    faults: answers that are given first. withheld: files that are listed and then refused. down:
    requests with this in their path are refused with down_status. damaged: files that come in full
    length with other bytes, so many times. cut: files whose connection breaks in the middle, so many times.
    """

    faults: list[Response] = field(default_factory=list)
    withheld: set[str] = field(default_factory=set)
    down: str = "never"
    down_status: int = 503
    damaged: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)


def error(status: int, code: str | None, message: str) -> Response:
    """A refusal as a hub words it."""
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return JSONResponse({"error": message}, status, headers)


def rate_limited(seconds: int) -> Response:
    """The answer of a hub that is asked too often."""
    return Response("", 429, headers={"retry-after": str(seconds)})


def damaged(path: Path, headers: dict[str, str]) -> Response:
    """As many bytes, each of them another."""
    return Response(bytes(byte ^ 1 for byte in path.read_bytes()), headers=headers)


def cut_short(path: Path, headers: dict[str, str]) -> Response:
    """Half of what the length says, and the connection is gone."""
    content = path.read_bytes()

    async def half() -> AsyncIterator[bytes]:
        yield content[: len(content) // 2]
        raise ConnectionResetError

    return StreamingResponse(half(), headers=headers | {"Content-Length": str(len(content))})


def takes(counts: dict[str, int], name: str) -> bool:
    """Whether a fault is still due for a file, which is one less then."""
    if not counts.get(name):
        return False
    counts[name] -= 1
    return True
