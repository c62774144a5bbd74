"""One retry policy: what is asked again, how often, and until when."""

from __future__ import annotations

import asyncio
import time

import pytest

from kitchen_core.adapters.retry import RetryPolicy, retrying
from kitchen_core.train.ports.errors import NotFound, RateLimited, Timeout, Unavailable

QUICK = RetryPolicy(attempts=4, wait_initial_s=0.001, wait_max_s=0.002, timeout_s=5.0)


class Flaky:
    """Fails with each of the given errors in turn, then answers."""

    greeting = "hello"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def ask(self, what: str) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return f"answer to {what}"

    async def hang(self) -> None:
        await asyncio.Event().wait()


async def test_what_may_pass_is_asked_again():
    flaky = Flaky(Unavailable("down"), Timeout("slow"))
    assert await retrying(flaky, QUICK).ask("this") == "answer to this"
    assert flaky.calls == 3


async def test_what_will_not_pass_is_not():
    flaky = Flaky(NotFound("gone"))
    with pytest.raises(NotFound):
        await retrying(flaky, QUICK).ask("this")
    assert flaky.calls == 1


async def test_the_last_error_comes_out_after_the_last_attempt():
    flaky = Flaky(*[Unavailable(f"down {n}") for n in range(9)])
    with pytest.raises(Unavailable, match="down 3"):
        await retrying(flaky, QUICK).ask("this")
    assert flaky.calls == 4


async def test_the_other_sides_wish_to_wait_is_honoured():
    flaky = Flaky(RateLimited("slow down", retry_after=0.2))
    started = time.monotonic()
    await retrying(flaky, QUICK).ask("this")
    assert 0.2 <= time.monotonic() - started < 1


async def test_a_wish_to_wait_past_the_deadline_is_an_error_at_once():
    flaky = Flaky(RateLimited("slow down", retry_after=3600))
    started = time.monotonic()
    with pytest.raises(RateLimited):
        await retrying(flaky, QUICK).ask("this")
    assert time.monotonic() - started < 1


async def test_the_deadline_ends_an_attempt_that_hangs():
    policy = RetryPolicy(timeout_s=0.05)
    with pytest.raises(Timeout, match=r"0\.05 s") as refused:
        await retrying(Flaky(), policy).hang()
    assert refused.value.hint


def test_everything_else_is_as_it_was():
    assert retrying(Flaky(), QUICK).greeting == "hello"
