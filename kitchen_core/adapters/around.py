"""A client with something done around its calls, its sessions and samplers included."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

_HANDS_OUT = ("start_session", "sampler", "reference", "teacher")
"""Methods that give another client: what is done around the calls of one is done around its too."""


class Around:
    """Stands for a client. A subclass says what is done around a call by overriding `_ask`, `_submit` or
    `_stream`; everything else is the client's own.
    """

    def __new__(cls, client: Any, *others: Any) -> Around:  # noqa: D102
        return object.__new__(_with_members_of(type(client), cls))

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._member(name)

    def _another(self, client: Any) -> Around:
        """The same around what the client has handed out."""
        raise NotImplementedError

    async def _ask(self, name: str, request: Callable[[], Awaitable[Any]]) -> Any:
        """Await an async method's call."""
        return await request()

    def _submit(self, name: str, request: Callable[[], Any]) -> Any:
        """Call a sync method, which may return a handle."""
        return request()

    def _stream(self, name: str, request: Callable[[], AsyncIterator[Any]]) -> AsyncIterator[Any]:
        """Call an async generator."""
        return request()

    def _member(self, name: str) -> Any:
        member = getattr(self._client, name)
        if inspect.iscoroutinefunction(member):

            @functools.wraps(member)
            async def ask(*args: Any, **kwargs: Any) -> Any:
                found = await self._ask(name, _bound(member, args, kwargs))
                return self._another(found) if name in _HANDS_OUT else found

            return ask
        if not inspect.isroutine(member):
            return member

        @functools.wraps(member)
        def call(*args: Any, **kwargs: Any) -> Any:
            if inspect.isasyncgenfunction(member):
                return self._stream(name, _bound(member, args, kwargs))
            found = self._submit(name, _bound(member, args, kwargs))
            return self._another(found) if name in _HANDS_OUT else found

        return call


def _bound(
    member: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Callable[[], Any]:
    """The call, with the clients themselves where what stands for them was given."""
    own = [_own(each) for each in args]
    return functools.partial(member, *own, **{name: _own(each) for name, each in kwargs.items()})


def _own(value: Any) -> Any:
    return _own(value._client) if isinstance(value, Around) else value


@functools.cache
def _with_members_of(kind: type, cls: type[Around]) -> type[Around]:
    """The class with the client's members, so that protocols that are checked find them."""

    def forwarded(name: str) -> property:
        return property(lambda self: self._member(name))

    members = {name: forwarded(name) for name in dir(kind) if not name.startswith("_")}
    return type(f"{cls.__name__}{kind.__name__}", (cls,), members)
