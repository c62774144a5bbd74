"""Doubles that fail when they are told to, one call after another, always in the same way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from kitchen_core.adapters.around import Around
from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.train.ports.errors import (
    AuthError,
    GatedError,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Timeout,
    Unavailable,
)

OK = "ok"
TOKENS_BEFORE_A_BREAK = 1
"""What comes of a stream before it breaks off."""

_RETRY_AFTER_S = 1.0
_WAIT = "Try again later."
_FAULTS: Mapping[str, Callable[[], PortError]] = {
    "rate_limited": lambda: RateLimited(
        "asked to slow down", retry_after=_RETRY_AFTER_S, hint="Wait a little."
    ),
    "timeout": lambda: Timeout("no answer in time", hint=_WAIT),
    "unavailable": lambda: Unavailable("it is down", hint=_WAIT),
    "garbage": lambda: Unavailable("the answer can't be read", hint=_WAIT),
    "partial_stream": lambda: Unavailable("the answer broke off in the middle", hint=_WAIT),
    "disconnect": lambda: Unavailable("the connection was lost", hint=_WAIT),
    "auth": lambda: AuthError("the key was refused", hint="Set a key that is good."),
    "gated": lambda: GatedError("you have not been let in", hint="Ask for access."),
    "not_found": lambda: NotFound("there is no such thing", hint="Check the name."),
    "invalid": lambda: InvalidRequest("this can't be asked", hint="Ask for something else."),
}
KINDS = (OK, *_FAULTS)
_NOT_CALLS = ("sampler", "reference", "close")
"""Methods that ask nothing of the other side."""


def told_to_fail(port: PortName, double: Callable[..., Any]) -> Callable[..., Any]:
    """A factory of the double that takes the option `faults`: a word of KINDS for each of its first
    calls, and then all is well. Raises InvalidRequest for another word.
    """

    def connect(faults: Sequence[str] = (), **options: Any) -> Any:
        for fault in faults:
            if fault not in KINDS:
                raise InvalidRequest(
                    f"there is no fault {fault!r}{nearest(fault, KINDS)}",
                    port=port,
                    adapter="memory",
                    hint=f"faults may be {', '.join(KINDS)}",
                )
        client = double(**options)
        return Faulty(client, port, deque(faults)) if faults else client

    return connect


class Faulty(Around):
    """A client whose first calls fail, those of its sessions and samplers counted with them. faults: shared
    by all of these.
    """

    def __init__(self, client: Any, port: str, faults: deque[str]) -> None:
        super().__init__(client)
        self._port = port
        self._faults = faults

    def _another(self, client: Any) -> Around:
        return Faulty(client, self._port, self._faults)

    async def _ask(self, name: str, request: Callable[[], Awaitable[Any]]) -> Any:
        fault = self._next(name)
        if fault:
            raise fault
        return await request()

    def _submit(self, name: str, request: Callable[[], Any]) -> Any:
        """A handle that fails, of something that was never submitted."""
        fault = self._next(name)
        if fault is None:
            return request()
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        failed.set_exception(fault)
        return failed

    async def _stream(
        self, name: str, request: Callable[[], AsyncIterator[Any]]
    ) -> AsyncIterator[Any]:
        breaks_off = bool(self._faults) and self._faults[0] == "partial_stream"
        fault = self._next(name)
        if fault and not breaks_off:
            raise fault
        sent = 0
        async for item in request():
            if fault and sent == TOKENS_BEFORE_A_BREAK:
                raise fault
            yield item
            sent += 1
        if fault:
            raise fault

    def _next(self, name: str) -> PortError | None:
        if name in _NOT_CALLS or not self._faults:
            return None
        kind = self._faults.popleft()
        if kind == OK:
            return None
        fault = _FAULTS[kind]()
        fault.port, fault.adapter, fault.asked = self._port, "memory", name
        return fault
