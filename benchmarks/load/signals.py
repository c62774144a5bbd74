"""How the processes of a load begin and end together."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_START_S = 120.0
_LOOK_S = 0.5


class Signals:
    """What the parts of a load wait for: to begin, and that it is over."""

    def __init__(self, context: multiprocessing.context.BaseContext) -> None:
        self._ready = context.Semaphore(0)
        self._begin = context.Event()
        self.over = context.Event()

    def await_begin(self) -> None:
        """Say that this part could begin, and wait until all do."""
        self._ready.release()
        self._begin.wait()

    def is_one_ready(self, seconds: float) -> bool:
        """Wait so long for one part more that could begin."""
        return self._ready.acquire(timeout=seconds)

    def begin(self) -> None:
        """Let all begin."""
        self._begin.set()


def signals() -> Signals:
    """The signals of the load that this process is a part of."""
    assert _signals is not None
    return _signals


_signals: Signals | None = None


def _take(given: Signals) -> None:
    global _signals
    _signals = given


class Parts:
    """Processes that each do one part of a load."""

    def __init__(self, executor: ProcessPoolExecutor, given: Signals) -> None:
        self._executor = executor
        self.signals = given
        self._starting: list[Future[Any]] = []

    def start(self, part: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a process of its own do a part, which waits to begin."""
        future = self._executor.submit(part, *arguments)
        self._starting.append(future)
        return future

    def await_ready(self) -> None:
        """Wait until every part that was started since the last time could begin. Raises what a part raised."""
        starting, self._starting = self._starting, []
        deadline = time.monotonic() + _START_S
        for _ in starting:
            while not self.signals.is_one_ready(_LOOK_S):
                for failed in wait(starting, 0, FIRST_EXCEPTION).done:
                    failed.result()
                if time.monotonic() > deadline:
                    raise TimeoutError("a part of the load did not get ready")


@contextmanager
def parts(count: int) -> Iterator[Parts]:
    """Room for so many parts; they are told that it is over at the end of the block."""
    context = multiprocessing.get_context("forkserver")
    given = Signals(context)
    with ProcessPoolExecutor(count, context, _take, (given,)) as executor:
        try:
            yield Parts(executor, given)
        finally:
            given.begin()
            given.over.set()
