"""Tool use: a policy that may call functions before it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from kitchen_core.train.conversations import Conversation
from kitchen_core.train.environments.base import Env, EnvGroupBuilder, Environment, Outcome
from kitchen_core.train.environments.problems import around
from kitchen_core.train.environments.tools import Tool, ToolError
from kitchen_core.train.grading import Grader
from kitchen_core.train.naming import nearest
from kitchen_core.train.renderers import Parsed
from kitchen_core.train.types import Message, ToolCall


def with_tools(
    environment: Environment, tools: Sequence[Tool], *, max_calls: int = 4, name: str | None = None
) -> Environment:
    """The environment with tools that the policy may call, `max_calls` times in an episode.

    A call that can't be answered is told so in the tool's place. Its name is the other's with `_tools`,
    where none is given. Raises ValueError for tools of one name, or none.
    """
    by_name = {each.name: each for each in tools}
    if not tools or len(by_name) < len(tools):
        names = ", ".join(each.name for each in tools) or "none"
        raise ValueError(f"the tools are {names}; there must be some, each with a name of its own")
    if max_calls < 1:
        raise ValueError(f"max_calls is {max_calls}, but must be at least 1")
    return _ToolUse(name or f"{environment.name}_tools", environment, by_name, max_calls)


@dataclass(frozen=True, slots=True)
class _ToolUse:
    name: str
    environment: Environment
    tools: Mapping[str, Tool]
    max_calls: int

    def group(self, example: Conversation, grader: Grader) -> EnvGroupBuilder:
        episode = partial(_ToolEnv, tools=self.tools, max_calls=self.max_calls)
        return around(self.environment.group(example, grader), self.name, episode)


class _ToolEnv:
    """An episode in which turns that call tools are answered by them."""

    def __init__(self, env: Env, tools: Mapping[str, Tool], max_calls: int) -> None:
        self._env = env
        self._tools = tools
        self._calls_left = max_calls

    def begin(self) -> Conversation:
        asked = self._env.begin()
        schemas = tuple(each.schema for each in self._tools.values())
        return replace(asked, tools=(*asked.tools, *schemas))

    async def step(self, answer: Parsed) -> Outcome:
        """A turn without calls is the answer; so is one that calls when no call is left."""
        calls = answer.message.tool_calls
        if not calls or not answer.complete or self._calls_left == 0:
            return await self._env.step(answer)
        told = [await self._told(call) for call in calls]
        errors = sum(each.content.startswith(_ERROR) for each in told)
        return Outcome(
            metrics={"tool_calls": float(len(calls)), "tool_errors": float(errors)},
            messages=tuple(told),
        )

    async def _told(self, call: ToolCall) -> Message:
        try:
            text = await self._answer(call)
        except ToolError as error:
            text = f"{_ERROR}{error}"
        return Message("tool", text, name=call.name, tool_call_id=call.id)

    async def _answer(self, call: ToolCall) -> str:
        if self._calls_left == 0:
            raise ToolError("no call is left; answer now")
        self._calls_left -= 1
        if call.name not in self._tools:
            known = ", ".join(self._tools)
            near = nearest(call.name, self._tools)
            raise ToolError(f"there is no tool '{call.name}'; there is {known}{near}")
        return await self._tools[call.name].answer(call)


_ERROR = "Error: "
