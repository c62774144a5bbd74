"""The python bridge over a pool of processes."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

from pebble import ProcessExpired

from kitchen_core.adapters.python_bridge import failures, worker
from kitchen_core.adapters.python_bridge.limits import Limits
from kitchen_core.adapters.python_bridge.pool import WorkerPool
from kitchen_core.train.ports.errors import PortError

_LOOK_EVERY_S = 1.0
_COUNT = "probe.count"


class ProcessBridge:
    """Implements PythonBridge. places: each function's name to its `MODULE:FUNCTION`.

    The first call starts the processes; after `close` the next one starts them again. A bridge that is
    dropped, or whose process ends in whatever way, leaves none behind; the fork server, which holds the
    libraries and no state, stays until this process ends.
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
        results: list[Any] = [_as_json(function, arguments) for arguments in calls]
        left = [i for i, text in enumerate(results) if isinstance(text, str)]
        texts = [results[i] for i in left]
        for i, future in zip(left, await self._submitted(function, texts), strict=True):
            results[i] = self._result(function, future)
        return results

    async def probe(self) -> str:
        """Whether a process starts and answers; it is gone afterwards."""
        bridge = ProcessBridge({_COUNT: "builtins:len"}, replace(self._limits, workers=1))
        try:
            await bridge.call(_COUNT, "")
        finally:
            await bridge.close()
        return f"a process answers; {len(self._places)} functions"

    async def close(self) -> None:
        """As the port says."""
        await asyncio.to_thread(self._pool.stop)

    async def _submitted(self, function: str, texts: Sequence[str]) -> list[Future[worker.Outcome]]:
        """Each call's future, done. Those that no process has begun, because all were gone, are tried once
        more, unless the bridge was closed meanwhile: that, too, may look as if all were gone.
        """
        stops = self._pool.stops
        futures = await self._attempted(function, texts, stops)
        if self._pool.stops != stops:
            return futures
        left = [i for i, future in enumerate(futures) if _was_not_begun(future)]
        again = await self._attempted(function, [texts[i] for i in left], stops)
        for i, future in zip(left, again, strict=True):
            futures[i] = future
        return futures

    async def _attempted(
        self, function: str, texts: Sequence[str], stops: int
    ) -> list[Future[worker.Outcome]]:
        if texts and not self._pool.ready:
            await asyncio.to_thread(self._pool.start, stops)
        futures = [self._pool.submit(function, text) for text in texts]
        waits = [asyncio.wrap_future(future) for future in futures]
        try:
            await self._all_done(waits, stops)
        finally:
            for wait in waits:  # those not done, because whoever asked was cancelled, are killed
                if not wait.cancel():
                    wait.exception()  # seen: it is read from the future itself
        return futures

    async def _all_done(self, waits: Sequence[asyncio.Future[worker.Outcome]], stops: int) -> None:
        left = set(waits)
        while left:
            _, left = await asyncio.wait(left, timeout=_LOOK_EVERY_S)
            if left and not self._pool.ready:  # nobody is there to answer: starting anew fails them
                await asyncio.to_thread(self._pool.start, stops)

    def _result(self, function: str, future: Future[worker.Outcome]) -> Any:
        try:
            outcome = future.result()
        except TimeoutError:
            return failures.too_slow(function, f"{self._limits.by_the_clock_s:g} s by the clock")
        except ProcessExpired as ended:
            return self._ended(function, ended.exitcode)
        except Exception as error:  # the pool's own troubles
            return failures.died(function, str(error))
        match outcome:
            case "returned", text:
                return json.loads(text)
            case "missing", why:
                return failures.not_importable(function, why)
            case _, why:
                return failures.raised(function, why)

    def _ended(self, function: str, status: int) -> PortError:
        match status:
            case worker.OUT_OF_TIME:
                return failures.too_slow(function, f"{self._limits.timeout_s:g} s of computing")
            case worker.OUT_OF_MEMORY:
                return failures.too_large(function, self._limits.memory_mb)
            case _:
                return failures.died(function, f"exit status {status}")


def _as_json(function: str, arguments: Sequence[Any]) -> str | PortError:
    try:
        return json.dumps(list(arguments))
    except (TypeError, ValueError) as error:
        said = f"its arguments are not JSON: {error}"
        return failures.invalid(said, function, "give plain values")


def _was_not_begun(future: Future[worker.Outcome]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)
