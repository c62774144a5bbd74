"""The python bridge over a pool of processes."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from pebble import ProcessExpired

from kitchen_core.adapters.python_bridge import failures, worker
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.adapters.python_bridge.pool import WorkerPool
from kitchen_core.train.ports.errors import PortError


class ProcessBridge:
    """Implements PythonBridge. places: each function's name to its `MODULE:FUNCTION`.

    The first call starts the processes; after `close` the next one starts them again. A bridge that is
    dropped, or whose process ends in whatever way, leaves none behind.
    """

    def __init__(self, places: Mapping[str, str], limits: Limits) -> None:
        self._places = places
        self._limits = limits
        self._pool = WorkerPool(places, limits)
        weakref.finalize(self, self._pool.stop)

    async def call(self, function: str, *arguments: Any) -> Any:
        """As the port says."""
        (result,) = await self.map(function, [arguments])
        if isinstance(result, PortError):
            raise result
        return result

    async def map(self, function: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """As the port says."""
        if function not in self._places:
            return [failures.not_wired(function, self._places) for _ in calls]
        try:
            if calls and not self._pool.ready:
                await asyncio.to_thread(self._pool.start)
        except (OSError, EOFError, RuntimeError) as error:  # the fork server, too, can be killed
            return [failures.died(function, f"no process started: {error}") for _ in calls]
        return await asyncio.gather(*(self._one(function, arguments) for arguments in calls))

    async def close(self) -> None:
        """As the port says."""
        await asyncio.to_thread(self._pool.stop)

    async def _one(self, function: str, arguments: Sequence[Any]) -> Any:
        try:
            text = json.dumps(list(arguments))
        except (TypeError, ValueError) as error:
            return failures.invalid(
                f"its arguments are not JSON: {error}", function, "give plain values"
            )
        try:
            # cancelling the wait kills the call
            outcome = await asyncio.wrap_future(self._pool.submit(function, text))
        except TimeoutError:
            return failures.too_slow(function, self._limits.timeout_s)
        except ProcessExpired as ended:
            if ended.exitcode == worker.OUT_OF_MEMORY:
                return failures.too_large(function, self._limits.memory_mb)
            return failures.died(function, f"exit status {ended.exitcode}")
        except RuntimeError as error:  # a broken pool is one, too
            return failures.died(function, str(error))
        return self._result(function, outcome)

    def _result(self, function: str, outcome: worker.Outcome) -> Any:
        match outcome:
            case "returned", text:
                return json.loads(text)
            case "missing", why:
                missing = failures.not_wired(function, self._places)
                missing.message = why
                return missing
            case _, why:
                return failures.raised(function, why)
