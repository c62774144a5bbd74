"""How a call can end other than with a result, as port errors."""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.errors import InvalidRequest, NotFound, Timeout, Unavailable

PORT = "python_bridge"
ADAPTER = "python_bridge"


def invalid(message: str, asked: str = "", hint: str = "") -> InvalidRequest:
    """What was asked can't be right."""
    hint = hint or "see `kitchen adapters` for the options of python_bridge"
    return InvalidRequest(message, port=PORT, adapter=ADAPTER, asked=asked, hint=hint)


def raised(function: str, what: str) -> InvalidRequest:
    """The function itself raised. what: its exception, as text."""
    return invalid(f"it raised {what}", function, "call it with arguments that it takes")


def not_wired(function: str, known: Iterable[str]) -> NotFound:
    """There is no function of that name."""
    names = sorted(known)
    return NotFound(
        f"the manifest wires no function '{function}'; it wires {', '.join(names) or 'none'}"
        f"{nearest(function, names)}",
        port=PORT,
        adapter=ADAPTER,
        asked=function,
        hint="name its library, or the function itself, under [ports.python_bridge]",
    )


def not_importable(function: str, why: str) -> NotFound:
    """The function's place is none. why: what its import raised."""
    return NotFound(
        why,
        port=PORT,
        adapter=ADAPTER,
        asked=function,
        hint="install its package, or correct its MODULE:FUNCTION under [ports.python_bridge.functions]",
    )


def too_slow(function: str, timeout_s: float) -> Timeout:
    """The call took longer than it may; its process was killed."""
    return Timeout(
        f"no result after {timeout_s:g} s",
        port=PORT,
        adapter=ADAPTER,
        asked=function,
        hint="raise timeout_s under [ports.python_bridge], or ask for less",
    )


def too_large(function: str, memory_mb: int) -> Unavailable:
    """The call took more memory than it may; its process has ended."""
    return Unavailable(
        f"it took more than {memory_mb} MB of memory",
        port=PORT,
        adapter=ADAPTER,
        asked=function,
        hint="raise memory_mb under [ports.python_bridge], or ask for less",
    )


def died(function: str, how: str) -> Unavailable:
    """The process ended under the call."""
    return Unavailable(
        f"its process ended: {how}",
        port=PORT,
        adapter=ADAPTER,
        asked=function,
        hint="another process serves the next call",
    )
