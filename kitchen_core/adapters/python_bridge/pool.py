"""The processes: started when they are first needed, started again when they broke, gone with this one."""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress

from pebble import ProcessPool

from kitchen_core.adapters.python_bridge import worker
from kitchen_core.adapters.python_bridge.limits import Limits

_PRELOADED = "kitchen_core.adapters.python_bridge.preloaded"


class WorkerPool:
    """A pebble pool that is there when it is asked for.

    Processes are forked by a fork server, never by this process, whose threads and CUDA would not survive
    it. They die with it also when it is killed (`worker.prepare`).
    """

    def __init__(self, places: Mapping[str, str], limits: Limits) -> None:
        self.stops = 0
        """How often it was stopped: who has waited since before knows by it that nobody wants the answer."""
        self._places = dict(places)
        self._limits = limits
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._pending: set[Future[worker.Outcome]] = set()

    @property
    def ready(self) -> bool:
        """Whether there are processes."""
        return self._pool is not None and self._pool.active

    def start(self, stops: int) -> None:
        """Have processes, unless it was stopped more often than that; what waits for some that are gone fails. Takes a
        second the first time.
        """
        with self._lock:
            if self.stops == stops and not self.ready:
                self._end(BrokenProcessPool("its processes are gone"))
                self._pool = self._new()

    def submit(self, function: str, arguments: str) -> Future[worker.Outcome]:
        """A call, for when a process is free; the limit counts from then on.

        The future fails with BrokenProcessPool where the processes are gone before one has begun it.
        """
        try:
            future = self._scheduled(function, arguments)
        except RuntimeError as error:
            future = Future()
            future.set_exception(BrokenProcessPool(str(error)))
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def stop(self) -> None:
        """End the processes and fail what waits for them. `start` may follow."""
        with self._lock:
            self.stops += 1
            self._end(RuntimeError("the bridge was closed"))

    def _scheduled(self, function: str, arguments: str) -> Future[worker.Outcome]:
        if self._pool is None:
            raise RuntimeError("there are no processes")
        return self._pool.schedule(
            worker.run,
            args=(function, arguments, self._limits.timeout_s),
            timeout=self._limits.by_the_clock_s,
        )

    def _new(self) -> ProcessPool | None:
        """A pool with its processes; None where none could be started."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_PRELOADED])
        pool = ProcessPool(
            max_workers=self._limits.num_workers,
            max_tasks=self._limits.calls_per_worker,
            initializer=worker.prepare,
            initargs=(self._places, self._limits.memory_mb),
            context=context,
        )
        try:
            started = pool.active  # asking starts it
        except (OSError, RuntimeError):
            started = False
        if not started:
            pool.stop()
            pool.join()
            return None
        atexit.register(self.stop)
        return pool

    def _end(self, why: Exception) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        atexit.unregister(self.stop)
        pool.stop()
        pool.join()
        for future in list(self._pending):
            with suppress(InvalidStateError):  # it was done or cancelled just now
                future.set_exception(why)
