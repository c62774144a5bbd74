"""A python bridge without processes or libraries: it compares texts and plain numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kitchen_core.train.grading import certain_verdict
from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, PortError


class MemoryBridge:
    """Implements PythonBridge in this process. Same calls, same results.

    functions: what can be called, by name. A function that raises a PortError lets a call fail as that
    says; any other exception is the function's own.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]] | None = None) -> None:
        self._functions = _FUNCTIONS if functions is None else functions

    async def call(self, function: str, *arguments: Any) -> Any:
        """As the port says."""
        (result,) = await self.map(function, [arguments])
        if isinstance(result, PortError):
            raise result
        return result

    async def map(self, function: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """As the port says."""
        return [self._one(function, arguments) for arguments in calls]

    async def close(self) -> None:
        """There is nothing to end."""

    def _one(self, function: str, arguments: Sequence[Any]) -> Any:
        if function not in self._functions:
            return self._not_wired(function)
        try:
            said = json.loads(json.dumps(list(arguments)))
            return json.loads(json.dumps(self._functions[function](*said)))
        except PortError as error:
            return error
        except Exception as error:
            return InvalidRequest(
                f"it raised {type(error).__name__}: {error}",
                port="python_bridge",
                adapter="memory",
                asked=function,
                hint="call it with arguments that it takes",
            )

    def _not_wired(self, function: str) -> NotFound:
        names = sorted(self._functions)
        return NotFound(
            f"there is no function '{function}'; there is {', '.join(names) or 'none'}"
            f"{nearest(function, names)}",
            port="python_bridge",
            adapter="memory",
            asked=function,
            hint="the manifests dev and prod have real libraries",
        )


def _verify(gold: str, answer: str) -> str:
    return certain_verdict(gold, answer) or "wrong"


def _equal(first: str, second: str) -> bool:
    return certain_verdict(first, second) == "right"


def _same(text: str) -> str:
    return text


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "math_verify.verify": _verify,
    "sympy.equal": _equal,
    "pylatexenc.to_text": _same,
}
