"""The LLM client over the openai SDK, which is imported when the first conversation is answered."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.ports.errors import AuthError, InvalidRequest, Unavailable
from kitchen_core.train.ports.llm import LlmAnswer
from kitchen_core.train.types import Message, ToolCall

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion


class OpenAIChat:
    """A server of chat completions.

    key: needed by OpenAI itself; a server at `base_url` may want none. concurrency: how many
    conversations to ask about at the same time. It asks once: retrying is the policy's. Raises AuthError
    where there is neither a key nor another server.
    """

    def __init__(
        self,
        key: str | None,
        *,
        base_url: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        concurrency: int = 8,
        timeout_s: float = 120.0,
    ) -> None:
        if key is None and base_url is None:
            raise AuthError(
                "there is no key for OpenAI",
                hint="Put OPENAI_API_KEY=... into secrets.env in the kitchen's home, or give the llm port of "
                "a manifest the base_url of a server that needs none.",
            )
        self.concurrency = concurrency
        self._key = key
        self._base_url = base_url
        self._organization = organization
        self._project = project
        self._timeout_s = timeout_s

    async def answer(
        self, model: str, conversation: Conversation, *, max_tokens: int, temperature: float
    ) -> LlmAnswer:
        """The assistant's next turn. Raises AuthError, RateLimited, Unavailable, Timeout, NotFound, or
        InvalidRequest where it won't answer this conversation.
        """
        from kitchen_core.adapters.openai.failures import translated

        asked = f"an answer of {model}"
        with translated(asked):
            request: dict[str, Any] = {
                "model": model,
                "messages": [_spelled(message) for message in conversation.messages],
                "temperature": temperature,
                **self._limit(max_tokens),
                **({"tools": list(conversation.tools)} if conversation.tools else {}),
            }
            completion = await self._client.chat.completions.create(**request)
            return _answer(completion)

    async def probe(self) -> str:
        """Which server answers, and how many models it offers. Raises as `answer` does."""
        from openai import NotFoundError

        from kitchen_core.adapters.openai.failures import translated

        place = str(self._client.base_url.host)
        with translated("the list of models"):
            try:
                models = await self._client.models.list()
            except NotFoundError:  # a server of chats alone
                return f"{place} answers, but lists no models"
        return f"{place} answers; models: {len(models.data)}"

    async def close(self) -> None:
        """Give back the connections."""
        if "_client" in self.__dict__:
            await self._client.close()
            del self._client

    @cached_property
    def _client(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self._base_url,
            max_retries=0,
            timeout=self._timeout_s,
            organization=self._organization,
            project=self._project,
        )

    def _limit(self, max_tokens: int) -> dict[str, int]:
        """OpenAI's newer models know the one name only, most other servers the other."""
        return {"max_tokens" if self._base_url else "max_completion_tokens": max_tokens}


def _spelled(message: Message) -> dict[str, Any]:
    """A turn as the API spells it."""
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [
            {
                "type": "function",
                "id": call.id or f"call_{i}",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for i, call in enumerate(message.tool_calls)
        ]
    if message.role == "tool":
        said["tool_call_id"] = message.tool_call_id or "call_0"
    return said


def _answer(completion: ChatCompletion) -> LlmAnswer:
    if not completion.choices:
        raise Unavailable("the server answered without an answer", hint="Try again later.")
    choice = completion.choices[0]
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        raise InvalidRequest(
            f"the model won't answer this: {choice.message.refusal or 'it was filtered'}",
            hint="Leave the conversation out.",
        )
    calls = tuple(
        ToolCall(call.function.name, call.function.arguments, call.id)
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    )
    message = Message("assistant", choice.message.content or "", tool_calls=calls)
    return LlmAnswer(message, "length" if choice.finish_reason == "length" else "stop")
