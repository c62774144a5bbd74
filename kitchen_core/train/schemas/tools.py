"""Tools: the functions that a conversation may call, and the calls that an assistant makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kitchen_core.train.schemas.cells import Cell
from kitchen_core.train.types import ToolCall


def read_tools(cell: Cell) -> tuple[Mapping[str, Any], ...]:
    """A row's tools: a list, or its JSON text, of functions, bare or wrapped as OpenAI does it."""
    if not cell.given or cell.value == "":
        return ()
    return tuple(_wrapped(each) for each in cell.items("a list of functions"))


def read_calls(cell: Cell) -> tuple[ToolCall, ...]:
    """An assistant's `tool_calls`."""
    return tuple(read_call(each) for each in cell.items("a list of calls")) if cell.given else ()


def read_call(cell: Cell) -> ToolCall:
    """A call, bare (`{name, arguments}`) or wrapped as OpenAI does it."""
    call = cell.object("a call: an object with name and arguments")
    function = _unwrapped(call)
    identity = call.get("id")
    return ToolCall(
        name=function.get("name").filled_text(),
        arguments=_arguments(function.get("arguments")),
        id=identity.text() if identity.given else None,
    )


def _arguments(cell: Cell) -> str:
    """The arguments as JSON text: as it was written, where it was text."""
    if not cell.given:
        return "{}"
    arguments = cell.object("a JSON object, or the text of one").value
    return cell.value if cell.value is not arguments else json.dumps(arguments, ensure_ascii=False)


def _wrapped(cell: Cell) -> Mapping[str, Any]:
    tool = cell.object("a function: an object with a name")
    function = _unwrapped(tool)
    function.get("name").filled_text()
    return {"type": "function", "function": function.value}


def _unwrapped(cell: Cell) -> Cell:
    function = cell.get("function")
    return function.object("a function: an object with a name") if function.given else cell
