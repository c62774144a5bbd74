"""Real servers that fail as they are told to, real SDKs, one policy, and a clock that jumps."""

from __future__ import annotations

import asyncio

import pytest

from kitchen_core.adapters.hugging_face.client import ask_once
from kitchen_core.adapters.hugging_face.models import HuggingFaceModels
from kitchen_core.adapters.hugging_face.repositories import Access
from kitchen_core.adapters.openai.chat import OpenAIChat
from kitchen_core.adapters.retry import Retried, RetryPolicy, retrying
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import AuthError, RateLimited, Timeout, Unavailable
from kitchen_core.train.types import Message
from tests.clock import Asking, on_fake_clock
from tests.doubles import hub as hubs
from tests.doubles.llm import (
    DISCONNECTS,
    HANGS,
    PARTIAL,
    ChatDouble,
    empty_answer,
    error,
    garbage,
    serve_chat,
)

ASKED = Conversation((Message("user", "hello"),))
POLICY = RetryPolicy(wait_initial_s=0, breaker_failures=99)
"""No backoff and no jitter: every second that passes was asked for."""


@pytest.fixture
def double():
    with serve_chat(ChatDouble()) as served:
        yield served


class Chat:
    """Questions to the double under a policy. started: when each request went out. notices: what was told,
    and when.
    """

    def __init__(self, double, policy=POLICY):
        self._double = double
        self._policy = policy
        self.notices = []

    def ask(self, questions=1, script=None):
        async def main(clock):
            self._clock = clock
            client = OpenAIChat(None, base_url=self._double.address, timeout_s=120)
            asking = Asking(client, clock, lambda: self._double.hung)
            self.started = asking.started
            asked = retrying(asking, self._policy, Retried("llm", "openai", notify=self._heard))
            later = [clock_at(seconds, do) for seconds, do in (script or {}).items()]
            try:
                calls = [self._answer(asked) for _ in range(questions)]
                return [answer.message.content for answer in await asyncio.gather(*calls)]
            finally:
                for task in later:
                    task.cancel()
                self.ended_at = clock.time
                await client.close()

        def clock_at(seconds, do):
            return asyncio.get_running_loop().call_later(seconds, do)

        return on_fake_clock(main)

    async def _answer(self, client):
        return await client.answer("parrot", ASKED, max_tokens=5, temperature=0)

    def _heard(self, notice):
        self.notices.append((self._clock.time, notice))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "30"}, 30),
        ({"retry_after_ms": "1500"}, 1.5),
        (
            {
                "date": "Tue, 24 Nov 2026 15:00:00 GMT",
                "retry_after": "Tue, 24 Nov 2026 15:01:30 GMT",
            },
            90,
        ),
        ({"retry_after": "soon"}, 0),
        ({"retry_after": "-5"}, 0),
    ],
    ids=str,
)
def test_it_waits_as_long_as_the_server_says(double, headers, wait):
    double.faults += [error(429, "rate_limit_exceeded", **headers)]
    chat = Chat(double)
    assert chat.ask() == ["hello"]
    assert chat.started == [0, wait]
    ((at, notice),) = chat.notices
    assert (at, notice.attempt, notice.wait_s) == (0, 1, wait)


def test_an_hour_is_an_error_at_once(double):
    double.faults += [error(429, "rate_limit_exceeded", retry_after="3600")]
    chat = Chat(double)
    with pytest.raises(RateLimited) as refused:
        chat.ask()
    assert chat.ended_at == 0
    assert "3600 s" in refused.value.hint


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (error(500, "broken"), "the server answers 500"),
        (garbage(), "can't be read"),
        (empty_answer(), "can't be read|without an answer"),
        (PARTIAL, "can't reach the server: peer closed connection"),
        (DISCONNECTS, "can't reach the server: "),
    ],
    ids=["500", "garbage", "empty", "partial", "disconnect"],
)
def test_what_may_pass_passes_and_what_stays_is_an_error(double, fault, said):
    double.faults += [fault]
    assert Chat(double).ask() == ["hello"]
    double.faults += [fault] * 5
    with pytest.raises(Unavailable, match=said) as failed:
        Chat(double).ask()
    assert failed.value.hint


def test_a_server_that_says_nothing_is_asked_again_until_the_deadline(double):
    double.faults += [HANGS] * 9
    chat = Chat(double)
    with pytest.raises(Timeout, match="300 s"):
        chat.ask()
    assert (chat.started, chat.ended_at) == ([0, 120, 240], 300)
    assert [(at, notice.attempt) for at, notice in chat.notices] == [(120, 1), (240, 2), (300, 3)]


def test_a_refused_key_is_asked_about_once(double):
    double.faults += [error(401, "invalid_api_key")]
    chat = Chat(double)
    with pytest.raises(AuthError):
        chat.ask()
    assert (len(chat.started), chat.notices) == (1, [])


def test_down_for_a_minute_and_back(double):
    double.down = True
    chat = Chat(double, RetryPolicy(breaker_failures=4, breaker_wait_s=25))
    assert chat.ask(8, {60: lambda: setattr(double, "down", False)}) == ["hello"] * 8
    assert len([at for at in chat.started if at < 25]) <= 8  # none of them went on asking
    assert [at for at in chat.started if 25 <= at < 75] == [25, 50]
    assert chat.ended_at == 75
    told = [(at, notice.wait_s) for at, notice in chat.notices if notice.kind == "waiting"]
    assert told == [(0, 25), (25, 25), (50, 25), (75, None)]


def test_the_hub_is_waited_for_as_long_as_it_says(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    ask_once()
    with hubs.serve(hubs.HubDouble({"org/model": hubs.Repo(folder)})) as hub:
        hub.faults += [hubs.rate_limited(40)]

        async def main(clock):
            access = Access(hub.endpoint, None, "HF_TOKEN")
            asking = Asking(HuggingFaceModels(access, tmp_path / "cache"), clock)
            client = retrying(asking, POLICY, Retried("model_hub", "hugging_face"))
            found = await client.fetch_model("org/model")
            return found.commit, asking.started

        assert on_fake_clock(main) == ("a" * 40, [0, 40])
