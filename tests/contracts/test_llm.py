"""What every chat model behind the llm port does: the double, and the real SDK over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from kitchen_core.adapters.memory.llm import MemoryLlm
from kitchen_core.adapters.openai.chat import OpenAIChat
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Unavailable,
)
from kitchen_core.train.ports.llm import LlmClient
from kitchen_core.train.types import Message
from tests.doubles.llm import ChatDouble, error, serve_chat

ASKED = Conversation((Message("system", "Repeat."), Message("user", "one two three")))


@dataclass(frozen=True)
class Backend:
    """A client whose model `parrot` repeats the last turn, and a way to let its next answer fail."""

    client: LlmClient
    fail: Callable[[PortError], None]


@pytest.fixture(params=["memory", "openai"])
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    if request.param == "memory":
        memory = MemoryLlm()
        yield Backend(memory, memory.fail)
        return
    with serve_chat(ChatDouble()) as double:
        client = OpenAIChat(None, base_url=double.address)
        yield Backend(client, lambda fault: double.faults.append(_on_the_wire(fault)))
        await client.close()


def _on_the_wire(fault: PortError):
    match fault:
        case RateLimited(retry_after=seconds):
            return error(429, "rate_limit_exceeded", retry_after=str(seconds))
        case AuthError():
            return error(401, "invalid_api_key")
        case Unavailable():
            return error(503, "overloaded")
        case _:
            return error(400, "content_policy_violation")


async def ask(client, model="parrot", max_tokens=8):
    return await client.answer(model, ASKED, max_tokens=max_tokens, temperature=0.5)


async def test_the_answer_is_the_assistants_turn(backend):
    answer = await ask(backend.client)
    assert answer.message == Message("assistant", "one two three")
    assert answer.stop_reason == "stop"


async def test_an_answer_that_is_cut_off_says_so(backend):
    answer = await ask(backend.client, max_tokens=2)
    assert (answer.message.content, answer.stop_reason) == ("one two", "length")


async def test_a_model_that_there_is_not_is_not_found(backend):
    with pytest.raises(NotFound) as refused:
        await ask(backend.client, model="oracle")
    assert refused.value.hint
    assert (refused.value.port, refused.value.asked) == ("llm", "an answer of oracle")


@pytest.mark.parametrize(
    "fault",
    [
        RateLimited("slow", retry_after=7.0),
        AuthError("key"),
        Unavailable("down"),
        InvalidRequest("no"),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_failure_is_one_of_the_family_and_the_next_question_is_answered(backend, fault):
    backend.fail(fault)
    with pytest.raises(type(fault)) as failed:
        await ask(backend.client)
    assert failed.value.port == "llm"
    assert failed.value.retryable == fault.retryable
    assert getattr(failed.value, "retry_after", None) == getattr(fault, "retry_after", None)
    assert (await ask(backend.client)).message.content == "one two three"


async def test_it_says_how_many_to_ask_at_once(backend):
    assert backend.client.concurrency >= 1
