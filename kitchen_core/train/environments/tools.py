"""Tools: Python functions that a policy may call."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from kitchen_core.train.types import ToolCall

MAX_CHARACTERS = 4000
"""Longer results are cut."""


class ToolError(Exception):
    """A call that could not be answered; the message is for the policy."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a policy may call.

    parameters: the JSON schema of its arguments. run: calls it with the arguments by name; raises ToolError
    for arguments that do not fit.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[Mapping[str, Any]], Awaitable[Any]]

    @property
    def schema(self) -> dict[str, Any]:
        """The tool as OpenAI and chat templates spell it."""
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }
        return {"type": "function", "function": function}

    async def answer(self, call: ToolCall) -> str:
        """What the tool says to a call. Raises ToolError for arguments that do not fit, and where the
        function raises.
        """
        arguments = _arguments(call)
        try:
            found = await self.run(arguments)
        except ToolError:
            raise
        except Exception as error:  # whatever a function of somebody's raises, the policy is told
            raise ToolError(f"{type(error).__name__}: {error}") from error
        text = found if isinstance(found, str) else json.dumps(found, default=str)
        return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… (cut)"


def tool(function: Callable[..., Any], *, name: str | None = None) -> Tool:
    """A function as a tool: its name, its docstring, and the schema of its typed parameters.

    A plain function runs in a thread. Raises ValueError for one that has no docstring, or parameters
    that can't be given by name.
    """
    title = name or function.__name__
    if not (said := inspect.getdoc(function)):
        raise ValueError(f"the tool {title} has no docstring to tell the policy what it does")
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ValueError(f"the tool {title} takes '{parameter}', which can't be given by name")
    checked = TypeAdapter[Any](
        cast(Any, function)
    )  # pydantic takes functions; its type does not say so
    schema = _untitled(checked.json_schema())

    async def run(arguments: Mapping[str, Any]) -> Any:
        try:
            found = await asyncio.to_thread(
                checked.validate_python, ArgsKwargs((), dict(arguments))
            )
        except ValidationError as error:
            raise ToolError(_misfit(error)) from error
        return await found if inspect.isawaitable(found) else found

    return Tool(title, said, schema, run)


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the titles that pydantic makes of parameters' names."""
    properties = {
        name: {key: part for key, part in said.items() if key != "title"}
        for name, said in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _arguments(call: ToolCall) -> Mapping[str, Any]:
    try:
        arguments = json.loads(call.arguments)
    except json.JSONDecodeError as error:
        raise ToolError(f"the arguments are no JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise ToolError("the arguments must be a JSON object")
    return arguments


def _misfit(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"argument {where}: {first['msg']}" if where else first["msg"]
