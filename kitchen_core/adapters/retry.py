"""One retry policy for every adapter that does not ask again by itself; the SDKs' own retries are off."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import stamina
from pydantic import BaseModel, ConfigDict, Field

from kitchen_core.adapters.around import Around
from kitchen_core.adapters.breaker import Breaker
from kitchen_core.train.ports.errors import PortError, RateLimited, Timeout
from kitchen_core.train.ports.notices import Notice, Notify, nobody

_MAY_TAKE_LONG = frozenset({"model_hub", "dataset_hub", "blob_store"})
"""Ports that move files: as long as they do, no deadline cuts them off."""


class RetryPolicy(BaseModel):
    """How often and how long to ask again, and when a service counts as down.

    timeout_s: the deadline of all attempts together; of what may take long, the time from its first
    failure on. breaker_failures: after so many in a row, of all calls together, every call is held back
    for breaker_wait_s.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(default=5, ge=1)
    wait_initial_s: float = Field(default=0.5, ge=0)
    wait_max_s: float = Field(default=20.0, ge=0)
    timeout_s: float = Field(default=300.0, gt=0)
    breaker_failures: int = Field(default=4, ge=1)
    breaker_wait_s: float = Field(default=30.0, ge=0)


@dataclass(frozen=True, slots=True)
class Retried:
    """Whose calls are asked again. offline: it computes here, and takes as long as it takes."""

    port: str
    adapter: str
    offline: bool = False
    notify: Notify = nobody

    @property
    def may_take_long(self) -> bool:
        """Whether an attempt that goes on is left alone."""
        return self.offline or self.port in _MAY_TAKE_LONG

    def tell(self, message: str, wait_s: float | None) -> None:
        """Say of the service whether it is down."""
        self.notify(Notice("waiting", self.port, self.adapter, "", message, wait_s=wait_s))


def retrying(client: Any, policy: RetryPolicy, whose: Retried) -> Any:
    """`client` with its async methods under `policy`, and those of what it hands out.

    Streams and sync methods are as they are: what has begun is not silently begun again.
    """
    breaker = Breaker(policy.breaker_failures, policy.breaker_wait_s, whose.tell)
    return _Retrying(client, policy, whose, breaker)


class _Retrying(Around):
    def __init__(self, client: Any, policy: RetryPolicy, whose: Retried, breaker: Breaker) -> None:
        super().__init__(client)
        self._policy = policy
        self._whose = whose
        self._breaker = breaker

    def _another(self, client: Any) -> Around:
        return _Retrying(client, self._policy, self._whose, self._breaker)

    async def _ask(self, name: str, request: Callable[[], Awaitable[Any]]) -> Any:
        return await _Call(name, self._policy, self._whose, self._breaker).answer(request)


class _Call:
    """One call, from its first attempt to its answer. Times by the event loop's clock."""

    def __init__(self, name: str, policy: RetryPolicy, whose: Retried, breaker: Breaker) -> None:
        self._name = name
        self._policy = policy
        self._whose = whose
        self._breaker = breaker
        self._attempt = 0
        self._loop = asyncio.get_running_loop()
        self._deadline = None if whose.may_take_long else self._from_now()

    async def answer(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """What the request gives in the end. Raises its last error, or Timeout at the deadline."""
        limit = asyncio.timeout_at(self._deadline)
        try:
            async with limit:
                return await self._asked(request)
        except TimeoutError as error:
            if not limit.expired():
                raise
            late = self._too_late()
            self._tell(late, self._attempt, None)
            raise late from error

    async def _asked(self, request: Callable[[], Awaitable[Any]]) -> Any:
        attempts = stamina.retry_context(
            on=lambda error: self._wait_after(error, attempt),
            attempts=self._policy.attempts,
            timeout=None,
            wait_initial=self._policy.wait_initial_s,
            wait_max=self._policy.wait_max_s,
        )
        async for attempt in attempts:
            self._attempt = attempt.num
            with attempt:
                return await self._breaker.ask(request)
        raise AssertionError("stamina returns or raises")

    def _wait_after(self, error: Exception, attempt: stamina.Attempt) -> bool | float:
        """Seconds until the next attempt, or False where there is none; told either way."""
        if not (isinstance(error, PortError) and error.retryable):
            return False
        wait = self._wait(error, attempt.next_wait)
        if self._deadline is None:
            self._deadline = self._from_now()
        in_time = self._loop.time() + wait < self._deadline
        if not in_time and isinstance(error, RateLimited) and error.retry_after is not None:
            error.hint = _patience(error.retry_after, self._policy.timeout_s)
        again = in_time and attempt.num < self._policy.attempts
        self._tell(error, attempt.num, wait if again else None)
        return wait if again else False

    def _wait(self, error: PortError, backoff: float) -> float:
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return error.retry_after
        jitter = random.uniform(0, self._policy.wait_initial_s)
        return max(min(backoff + jitter, self._policy.wait_max_s), self._breaker.wait_s)

    def _tell(self, error: PortError, number: int, wait: float | None) -> None:
        who, asked = self._whose, error.asked or self._name
        who.notify(
            Notice(
                "retried", who.port, who.adapter, asked, error.message, attempt=number, wait_s=wait
            )
        )

    def _from_now(self) -> float:
        return self._loop.time() + self._policy.timeout_s

    def _too_late(self) -> Timeout:
        return Timeout(
            f"no answer within {self._policy.timeout_s:g} s",
            port=self._whose.port,
            adapter=self._whose.adapter,
            asked=self._name,
            hint="Try again later, or raise timeout_s under [retry] in the manifest.",
        )


def _patience(asked_s: float, timeout_s: float) -> str:
    return (
        f"It asks to wait {asked_s:g} s, more than is left of the {timeout_s:g} s allowed. Try again then, or "
        "raise timeout_s under [retry] in the manifest."
    )
