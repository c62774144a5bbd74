"""One retry policy for every remote adapter; the SDKs' own retries are off."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import stamina
from pydantic import BaseModel, ConfigDict, Field

from kitchen_core.train.ports.errors import PortError, RateLimited, Timeout

Result = TypeVar("Result")


class RetryPolicy(BaseModel):
    """How often and how long to ask again. `timeout_s` is the deadline of all attempts together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attempts: int = Field(default=5, ge=1)
    wait_initial_s: float = Field(default=0.5, ge=0)
    wait_max_s: float = Field(default=20.0, ge=0)
    timeout_s: float = Field(default=300.0, gt=0)


def retrying(client: Any, policy: RetryPolicy) -> Any:
    """`client` with its async methods under `policy`; everything else as it is."""
    return _Retrying(client, policy)


class _Retrying:
    def __init__(self, client: Any, policy: RetryPolicy) -> None:
        self._client = client
        self._policy = policy

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._client, name)
        if not inspect.iscoroutinefunction(member):
            return member

        @functools.wraps(member)
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await _call(lambda: member(*args, **kwargs), self._policy, name)

        return call


async def _call(
    request: Callable[[], Awaitable[Result]], policy: RetryPolicy, asked: str
) -> Result:
    deadline = time.monotonic() + policy.timeout_s

    def wait_before_retry(error: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds where the other side said; never past the deadline."""
        if not (isinstance(error, PortError) and error.retryable):
            return False
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return error.retry_after if time.monotonic() + error.retry_after < deadline else False
        return time.monotonic() < deadline

    attempts = stamina.retry_context(
        on=wait_before_retry,
        attempts=policy.attempts,
        timeout=policy.timeout_s,
        wait_initial=policy.wait_initial_s,
        wait_max=policy.wait_max_s,
        wait_jitter=policy.wait_initial_s,
    )
    try:
        async with asyncio.timeout(policy.timeout_s):
            async for attempt in attempts:
                with attempt:
                    return await request()
    except TimeoutError as error:
        raise Timeout(
            f"no answer within {policy.timeout_s:g} s",
            asked=asked,
            hint="Try again later, or raise timeout_s under [retry] in the manifest.",
        ) from error
    raise AssertionError("stamina returns or raises")
