"""The python bridge port: functions of Python libraries, called where they can be killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class PythonBridge(Protocol):
    """Calls functions in processes apart from this one. Arguments and results are JSON."""

    async def call(self, function: str, *arguments: Any) -> Any:
        """What the function of that name returns for the arguments.

        Raises NotFound for a name that the manifest does not wire, Timeout where the call took longer
        than it may (its process is killed), Unavailable where it died or took more memory than it may,
        InvalidRequest where the function itself raised. However it ends, the next call finds a process.
        """
        ...

    async def map(self, function: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """`call` for many lists of arguments at once, each with its own limit. In place of a result
        that there is not stands the PortError that `call` would have raised.
        """
        ...

    async def close(self) -> None:
        """End the processes."""
        ...
