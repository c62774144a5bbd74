"""The processes: started when they are first needed, started again when they broke, gone with this one."""

from __future__ import annotations

import atexit
import multiprocessing
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

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
        self._places = dict(places)
        self._limits = limits
        self._lock = threading.Lock()
        self._pool: ProcessPool | None = None
        self._pending: set[Future[worker.Outcome]] = set()

    @property
    def ready(self) -> bool:
        """Whether `submit` finds processes, and so takes no time."""
        return self._pool is not None and self._pool.active

    def start(self) -> None:
        """Have processes. Takes a second or two the first time."""
        with self._lock:
            if not self.ready:
                self._stop()
                self._pool = self._new()
                atexit.register(self.stop)

    def submit(self, function: str, arguments: str) -> Future[worker.Outcome]:
        """A call, for when a process is free; the limit counts from then on. Raises RuntimeError where
        the processes are gone.
        """
        if self._pool is None:
            raise RuntimeError("there are no processes")
        future = self._pool.schedule(
            worker.run, args=(function, arguments), timeout=self._limits.timeout_s
        )
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def stop(self) -> None:
        """End the processes and fail what waits for them. `start` may follow."""
        with self._lock:
            self._stop()

    def _new(self) -> ProcessPool:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_PRELOADED])
        pool = ProcessPool(
            max_workers=self._limits.num_workers,
            max_tasks=self._limits.calls_per_worker,
            initializer=worker.prepare,
            initargs=(self._places, self._limits.memory_mb),
            context=context,  # pyright: ignore[reportArgumentType]  # pebble's own type names less
        )
        if not pool.active:  # asking starts it
            raise BrokenProcessPool("no process could be started")
        return pool

    def _stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        atexit.unregister(self.stop)
        pool.stop()
        pool.join()
        for future in list(self._pending):
            _fail(future)


def _fail(future: Future[worker.Outcome]) -> None:
    if not future.done():
        future.set_exception(BrokenProcessPool("the bridge was closed"))
