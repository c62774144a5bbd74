"""How thoughts and tool calls are spelled inside a text: `<think>` and `<tool_call>` blocks, the
form that Qwen and Hermes models share, and its way back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kitchen_core.train.renderers.base import Parsed
from kitchen_core.train.types import Message, ToolCall

_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_CALL = re.compile(r"\n?<tool_call>(.*?)</tool_call>", re.DOTALL)


def framed_thought(thinking: str) -> str:
    """The block before an answer; there even where nothing was thought."""
    return "<think>\n" + thinking.strip("\n") + "\n</think>\n\n"


def calls_text(calls: Sequence[ToolCall], *, ensure_ascii: bool = False) -> str:
    """A block for each call, a line end between them."""
    return "\n".join(
        "<tool_call>\n"
        + json.dumps(
            {"name": call.name, "arguments": json.loads(call.arguments)}, ensure_ascii=ensure_ascii
        )
        + "\n</tool_call>"
        for call in calls
    )


def function_schemas(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tools as chat templates expect them, `{"type": "function", "function": schema}`, whether or
    not the data wraps them so.
    """
    return [
        dict(tool) if "function" in tool else {"type": "function", "function": dict(tool)}
        for tool in tools
    ]


def tools_text(tools: Sequence[Mapping[str, Any]], *, ensure_ascii: bool = False) -> str:
    """What a system turn says of the tools that may be called, as Qwen3 was taught it."""
    lines = [json.dumps(tool, ensure_ascii=ensure_ascii) for tool in function_schemas(tools)]
    return "\n".join(
        (
            "# Tools\n",
            "You may call one or more functions to assist with the user query.\n",
            "You are provided with function signatures within <tools></tools> XML tags:",
            "<tools>",
            *lines,
            "</tools>\n",
            "For each function call, return a json object with function name and arguments within "
            "<tool_call></tool_call> XML tags:",
            "<tool_call>",
            '{"name": <function-name>, "arguments": <args-json-object>}',
            "</tool_call>",
        )
    )


def with_tools_said(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], *, ensure_ascii: bool = False
) -> tuple[Message, ...]:
    """The turns with the tools written into the system turn, which is made where there is none."""
    if not tools:
        return tuple(messages)
    said = tools_text(tools, ensure_ascii=ensure_ascii)
    if messages and messages[0].role == "system":
        first, *rest = messages
        content = f"{first.content}\n\n{said}" if first.content else said
        return (Message("system", content, trainable=first.trainable), *rest)
    return (Message("system", said), *messages)


def parse_blocks(text: str, *, framed: bool) -> Parsed:
    """An assistant's turn, its end taken off, as a message.

    framed: the line ends around a thought are its frame, as `framed_thought` writes it. Thoughts and
    calls are taken out of the content. The turn is complete where every block is closed and every
    call is a JSON object with a name and arguments; a call that is not stays in the content.
    """
    thoughts = _THOUGHT.findall(text)
    spoken = _THOUGHT.sub("", text)
    if thoughts and framed:
        thoughts = [thought.strip("\n") for thought in thoughts]
        spoken = spoken.lstrip("\n")
    calls: list[ToolCall] = []

    def take_out(block: re.Match[str]) -> str:
        call = _parse_call(block[1])
        if call is None:
            return block[0]
        calls.append(call)
        return ""

    content = _CALL.sub(take_out, spoken)
    message = Message(
        "assistant",
        content,
        thinking="\n".join(filter(None, thoughts)) or None,
        tool_calls=tuple(calls),
    )
    return Parsed(message, complete="<think>" not in content and "<tool_call>" not in content)


def _parse_call(text: str) -> ToolCall | None:
    try:
        call = json.loads(text)
    except json.JSONDecodeError:
        return None
    if not isinstance(call, dict):
        return None
    name, arguments = call.get("name"), call.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    identity = call.get("id")
    return ToolCall(
        name,
        json.dumps(arguments, ensure_ascii=False),
        id=identity if isinstance(identity, str) else None,
    )
