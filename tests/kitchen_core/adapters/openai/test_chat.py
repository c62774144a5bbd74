"""What of the API is asked, and what of its answers becomes a turn, over real HTTP."""

import socket
import subprocess
import sys

import pytest

from kitchen_core.adapters.openai import adapter
from kitchen_core.adapters.openai.chat import OpenAIChat
from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import AuthError, InvalidRequest, Timeout, Unavailable
from kitchen_core.train.types import Message, ToolCall
from tests.doubles.llm import KEY, ChatDouble, error, serve_chat

ASKED = Conversation((Message("user", "hello"),))
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@pytest.fixture
def double():
    with serve_chat(ChatDouble()) as served:
        yield served


@pytest.fixture
async def client(double):
    made = OpenAIChat(None, base_url=double.address)
    yield made
    await made.close()


async def ask(client, conversation=ASKED):
    return await client.answer("parrot", conversation, max_tokens=5, temperature=0.5)


async def test_the_request_has_what_was_asked(client, double):
    await ask(client)
    (body,) = double.asked
    assert body == {
        "model": "parrot",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 5,
        "temperature": 0.5,
    }


async def test_it_asks_once_for_retrying_is_the_policys(client, double):
    double.faults += [error(500, "broken")] * 3
    with pytest.raises(Unavailable, match="500"):
        await ask(client)
    assert len(double.asked) == 1


async def test_tools_and_their_calls_go_out_and_come_back(client, double):
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":2}'}}
    double.message = {"role": "assistant", "content": None, "tool_calls": [call]}
    double.finish_reason = "tool_calls"
    asked = Message("assistant", "", tool_calls=(ToolCall("add", '{"a":1}', "c0"),))
    told = Message("tool", "1", tool_call_id="c0")
    answer = await ask(client, Conversation((*ASKED.messages, asked, told), tools=(TOOL,)))
    assert answer.message == Message(
        "assistant", "", tool_calls=(ToolCall("add", '{"a":2}', "c1"),)
    )
    (body,) = double.asked
    assert body["tools"] == [TOOL]
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
    assert body["messages"][2] == {"role": "tool", "content": "1", "tool_call_id": "c0"}


@pytest.mark.parametrize("how", ["filtered", "refused"])
async def test_an_answer_that_is_withheld_is_no_answer(client, double, how):
    double.message = {"role": "assistant", "content": "", "refusal": None}
    if how == "filtered":
        double.finish_reason = "content_filter"
    else:
        double.message["refusal"] = "I can't"
    with pytest.raises(InvalidRequest, match="won't answer"):
        await ask(client)


async def test_the_key_and_the_account_are_sent(double):
    double.needs_key = True
    options = {"base_url": double.address, "organization": "mine", "project": "p"}
    client = adapter.ports["llm"](secrets={"OPENAI_API_KEY": KEY}, **options)
    await ask(client)
    await client.close()
    assert double.headers[0]["openai-organization"] == "mine"
    assert double.headers[0]["openai-project"] == "p"


async def test_without_a_key_openai_itself_is_not_asked():
    with pytest.raises(AuthError) as refused:
        await ask(OpenAIChat(None))
    assert "OPENAI_API_KEY" in refused.value.hint


async def test_a_used_up_account_is_not_asked_again(client, double):
    double.faults.append(error(429, "insufficient_quota"))
    with pytest.raises(AuthError, match="used up"):
        await ask(client)


async def test_a_slow_server_times_out(double):
    double.hangs_s = 2.0
    client = OpenAIChat(None, base_url=double.address, timeout_s=0.05)
    with pytest.raises(Timeout):
        await ask(client)
    await client.close()


async def test_a_server_that_is_not_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = OpenAIChat(None, base_url=f"http://127.0.0.1:{port}/v1")
    with pytest.raises(Unavailable, match="can't reach"):
        await ask(client)
    await client.close()


def test_the_sdk_is_imported_when_it_is_used():
    code = (
        "import sys, kitchen_core.adapters.openai as a;"
        "a.adapter.ports['llm'](secrets={'OPENAI_API_KEY': 'k'}); sys.exit('openai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_status_is_said_once(client, double):
    double.faults.append(error(503, "overloaded"))
    with pytest.raises(Unavailable) as refused:
        await ask(client)
    assert refused.value.message == "the server answers 503: no: overloaded"
