"""The connection to the daemon of one home: requests over its Unix socket, and what can go wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from kitchen_core.home import Home
from kitchen_daemon.models import Problem

M = TypeVar("M", bound=BaseModel)
CALL_TIMEOUT_S = 60.0
SLOW_CALL_TIMEOUT_S = 180.0
"""For what asks another process, or a service."""
KEEP_ALIVE_S = 30.0
"""A stream that says nothing for longer is lost: the daemon pings every 10 s."""


class Unreachable(ConnectionError):  # noqa: N818 - named by the condition
    """No daemon answers on this home."""


class Refused(ValueError):  # noqa: N818
    """The daemon refused the request; `status` is the HTTP status."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.message = problem.message
        self.hint = problem.hint


class Connection:
    """Requests to the daemon of one home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._http = httpx2.Client(
            transport=httpx2.HTTPTransport(uds=str(home.socket)),
            base_url="http://kitchen",
            timeout=CALL_TIMEOUT_S,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _call(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, path, **kwargs)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None
        if response.status_code >= 400:
            _raise_refusal(response)
        return response

    def _one(self, model: type[M], method: str, path: str, **kwargs: Any) -> M:
        return understood(model, self._call(method, path, **kwargs).json())

    def _many(self, model: type[M], method: str, path: str, **kwargs: Any) -> list[M]:
        return [understood(model, item) for item in self._call(method, path, **kwargs).json()]

    @contextmanager
    def _streaming(self, method: str, path: str, **kwargs: Any) -> Iterator[Iterator[bytes]]:
        """The lines of an answer that goes on."""
        timeout = httpx2.Timeout(CALL_TIMEOUT_S, read=KEEP_ALIVE_S)
        try:
            with self._http.stream(method, path, timeout=timeout, **kwargs) as response:
                if response.status_code >= 400:
                    response.read()
                    _raise_refusal(response)
                yield _lines(response)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"no daemon answers at {self.home.socket} ({error})")


def given(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that have a value."""
    return {name: value for name, value in params.items() if value is not None}


def segment(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="")


def understood(model: type[M], answer: Any) -> M:
    """An answer as what it is to be. A newer daemon may say more; raises Refused for one that says less."""
    try:
        return model.model_validate(answer, extra="ignore")
    except ValidationError:
        raise Refused(HTTPStatus.BAD_GATEWAY, _of_another_version("answers otherwise")) from None


def _raise_refusal(response: httpx2.Response) -> None:
    status = response.status_code
    try:
        problem = Problem.model_validate_json(response.content, extra="ignore")
    except ValidationError:
        if status == HTTPStatus.NOT_FOUND:  # of the path itself
            status, problem = HTTPStatus.NOT_IMPLEMENTED, _of_another_version("can't do that")
        else:
            problem = Problem(message=f"the daemon answered {status}: {response.text[:200]}")
    raise Refused(status, problem)


def _of_another_version(what: str) -> Problem:
    return Problem(
        message=f"the daemon that runs is of another version and {what}",
        hint="Let the new one start, while runs go on: kitchen down; then the same again.",
    )


def _lines(response: httpx2.Response) -> Iterator[bytes]:
    """Lines that a newline ends, and nothing else: what a model wrote may hold other separators.

    What was not finished when the connection broke is not a line.
    """
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
