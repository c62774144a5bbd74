"""One retry policy, on a clock that jumps: what is asked again, when, and until when."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from kitchen_core.adapters.retry import Retried, RetryPolicy, retrying
from kitchen_core.train.ports.errors import (
    InvalidRequest,
    NotFound,
    RateLimited,
    Timeout,
    Unavailable,
)
from kitchen_core.train.ports.notices import Notice
from tests.clock import on_fake_clock

POLICY = RetryPolicy(wait_initial_s=0, breaker_failures=99)
"""No jitter and no backoff: every second that passes was asked for."""


class Flaky:
    """Fails with each of the given errors in turn, then answers. asked_at: by the loop's clock."""

    greeting = "hello"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked_at: list[float] = []

    async def ask(self, what: str = "this") -> str:
        self.asked_at.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return f"answer to {what}"

    async def hang(self) -> None:
        await asyncio.Event().wait()

    async def download(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return await self.ask()

    async def stream(self):
        yield "begun"
        await self.ask()


class Asked:
    """A client under a policy, what it said, and when it was done."""

    def __init__(self, flaky: Flaky, policy: RetryPolicy, port: str = "llm", **whose: bool) -> None:
        self.notices: list[Notice] = []
        whose_calls = Retried(port, "flaky", notify=self.notices.append, **whose)
        self._make = lambda: retrying(flaky, policy, whose_calls)

    def run(self, method: str = "ask", *args: object) -> object:
        async def main(clock):
            try:
                return await getattr(self._make(), method)(*args)
            finally:
                self.ended_at = clock.time

        return on_fake_clock(main)


def test_what_may_pass_is_asked_again():
    flaky = Flaky(Unavailable("down"), Timeout("slow"))
    assert Asked(flaky, POLICY).run("ask", "this") == "answer to this"
    assert len(flaky.asked_at) == 3


def test_what_will_not_pass_is_not():
    flaky = Flaky(NotFound("gone"))
    asked = Asked(flaky, POLICY)
    with pytest.raises(NotFound):
        asked.run()
    assert (len(flaky.asked_at), asked.notices) == (1, [])


def test_the_last_error_comes_out_after_the_last_attempt():
    flaky = Flaky(*[Unavailable(f"down {n}") for n in range(9)])
    with pytest.raises(Unavailable, match="down 3"):
        Asked(flaky, replace_all(POLICY, attempts=4)).run()
    assert len(flaky.asked_at) == 4


def test_waits_double_up_to_the_longest_and_jitter_lies_within_the_first_of_them():
    flaky = Flaky(*[Unavailable("down")] * 6)
    policy = RetryPolicy(attempts=7, wait_initial_s=1, wait_max_s=10, breaker_failures=99)
    Asked(flaky, policy).run()
    waits = [later - sooner for sooner, later in pairwise(flaky.asked_at)]
    for wait, least in zip(waits, (1, 2, 4, 8, 10, 10), strict=True):
        assert least - 1e-9 <= wait <= min(least + 1, 10) + 1e-9


def test_the_other_sides_wish_to_wait_is_honoured_to_the_second():
    flaky = Flaky(RateLimited("slow down", retry_after=30))
    Asked(flaky, POLICY).run()
    assert flaky.asked_at == [0, 30]


def test_a_wish_to_wait_an_hour_is_an_error_at_once_that_says_so():
    asked = Asked(Flaky(RateLimited("slow down", retry_after=3600)), POLICY)
    with pytest.raises(RateLimited) as refused:
        asked.run()
    assert asked.ended_at == 0
    assert "3600 s" in refused.value.hint
    assert "300 s" in refused.value.hint
    assert "timeout_s" in refused.value.hint


def test_wishes_add_up_to_the_deadline_and_no_further():
    flaky = Flaky(*[RateLimited("slow down", retry_after=120)] * 9)
    asked = Asked(flaky, POLICY)
    with pytest.raises(RateLimited):
        asked.run()
    assert (flaky.asked_at, asked.ended_at) == ([0, 120, 240], 240)


def test_the_deadline_ends_an_attempt_that_hangs():
    asked = Asked(Flaky(), POLICY)
    with pytest.raises(Timeout, match="300 s") as refused:
        asked.run("hang")
    assert asked.ended_at == 300
    assert refused.value.hint
    assert str(refused.value).startswith("llm/flaky (hang): ")
    assert [notice.attempt for notice in asked.notices] == [1]


@pytest.mark.parametrize("whose", [{"port": "model_hub"}, {"offline": True}], ids=str)
def test_what_moves_files_or_computes_here_takes_as_long_as_it_takes(whose):
    """And its deadline counts from its first failure."""
    flaky = Flaky(*[RateLimited("slow", retry_after=250)] * 2)
    asked = Asked(flaky, POLICY, **whose)
    with pytest.raises(RateLimited):
        asked.run("download", 1000)
    assert flaky.asked_at == [1000, 2250]


def test_a_timeout_of_the_clients_own_is_its_own():
    with pytest.raises(TimeoutError, match="mine"):
        Asked(Flaky(TimeoutError("mine")), POLICY).run()


def test_every_failed_attempt_is_told():
    fault = RateLimited("slow down", retry_after=4, asked="an answer")
    asked = Asked(Flaky(fault, Unavailable("down")), replace_all(POLICY, attempts=2))
    with pytest.raises(Unavailable):
        asked.run()
    first = Notice("retried", "llm", "flaky", "an answer", "slow down", attempt=1, wait_s=4)
    last = Notice("retried", "llm", "flaky", "ask", "down", attempt=2, wait_s=None)
    assert asked.notices == [first, last]


def test_a_stream_that_breaks_is_not_begun_again():
    flaky = Flaky(Unavailable("broken off"))

    async def main(clock):
        client = retrying(flaky, POLICY, Retried("llm", "flaky"))
        said = []
        stream = client.stream()
        said.append(await anext(stream))
        with pytest.raises(Unavailable):
            await anext(stream)
        return said

    assert on_fake_clock(main) == ["begun"]
    assert len(flaky.asked_at) == 1


def test_everything_else_is_as_it_was():
    assert retrying(Flaky(), POLICY, Retried("llm", "flaky")).greeting == "hello"


class TestASystemThatIsDown:
    """Eight calls at once, on one client."""

    POLICY = RetryPolicy(breaker_failures=4, breaker_wait_s=30)

    def ask_eight(self, flaky, policy=POLICY, calls=8):
        notices = []
        whose = Retried("llm", "flaky", notify=notices.append)

        async def main(clock):
            client = retrying(flaky, policy, whose)
            found = await asyncio.gather(*[client.ask(str(n)) for n in range(calls)])
            return found, clock.time

        found, ended_at = on_fake_clock(main)
        assert found == [f"answer to {n}" for n in range(calls)]
        return ended_at, [notice for notice in notices if notice.kind == "waiting"]

    def test_it_is_asked_by_one_of_them_every_half_minute(self):
        flaky = Flaky(*[Unavailable("out of order")] * 10)
        ended_at, told = self.ask_eight(flaky)
        trials = [
            30,
            60,
            90,
            120,
            150,
            180,
            210,
        ]  # more than one call has attempts: they take turns
        assert flaky.asked_at == [*[0] * 4, *trials, *[210] * 7]
        assert ended_at == 210
        assert [(notice.message, notice.wait_s) for notice in told] == [
            *[("down, out of order", 30)] * 7,
            ("answers again", None),
        ]

    def test_a_refusal_is_an_answer(self):
        flaky = Flaky(
            *[Timeout("slow")] * 3, RateLimited("slow down", retry_after=1), Timeout("slow")
        )
        _, told = self.ask_eight(flaky)
        assert told == []

    def test_a_trial_that_is_cancelled_makes_way_for_the_next(self):
        flaky = Flaky(Unavailable("down"))
        policy = replace_all(self.POLICY, breaker_failures=1)

        async def main(clock):
            client = retrying(flaky, policy, Retried("llm", "flaky"))
            first = asyncio.ensure_future(client.ask("first"))
            await asyncio.sleep(1)
            trial = asyncio.ensure_future(client.hang())
            first.cancel()
            await asyncio.sleep(30)
            last = asyncio.ensure_future(client.ask("last"))
            await asyncio.sleep(5)
            assert not last.done()
            trial.cancel()
            return await last, clock.time

        assert on_fake_clock(main) == ("answer to last", 36)

    def test_a_call_that_is_held_back_keeps_its_deadline(self):
        flaky = Flaky(*[Unavailable("down")] * 99)
        policy = replace_all(self.POLICY, timeout_s=45, breaker_failures=1)
        asked = Asked(flaky, policy)
        with pytest.raises(Unavailable):
            asked.run()
        assert (flaky.asked_at, asked.ended_at) == ([0, 30], 30)  # 60 would be too late

    def test_one_call_alone_outlasts_a_minute(self):
        flaky = Flaky(*[Unavailable("down")] * 4)
        asked = Asked(flaky, RetryPolicy())
        assert asked.run() == "answer to this"
        assert asked.ended_at == pytest.approx(30 + flaky.asked_at[3])


class Sessions:
    """Hands out something that asks, as a training client does."""

    def __init__(self, flaky):
        self.flaky = flaky

    async def start_session(self):
        return Session(self.flaky)


class Session:
    def __init__(self, flaky):
        self._flaky = flaky

    def sampler(self):
        return self._flaky

    def learn_from(self, teacher):
        return teacher is self._flaky


def test_what_a_client_hands_out_is_asked_again_too_and_is_itself_for_its_maker():
    flaky = Flaky(Unavailable("down"))

    async def main(clock):
        client = retrying(Sessions(flaky), POLICY, Retried("training_client", "flaky"))
        session = await client.start_session()
        sampler = session.sampler()
        return await sampler.ask(), session.learn_from(sampler), session.learn_from(teacher=sampler)

    assert on_fake_clock(main) == ("answer to this", True, True)


def test_an_invalid_request_says_what_it_said():
    with pytest.raises(InvalidRequest, match=r"^no$"):
        Asked(Flaky(InvalidRequest("no")), POLICY).run()


def replace_all(policy, **changes):
    return policy.model_copy(update=changes)
