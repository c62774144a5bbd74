"""How far a download is, told now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock

from kitchen_core.adapters.stoppable import Stopped

EVERY_S = 10.0


class Progress:
    """Counts bytes as they come, from several threads.

    total: bytes in all. tell: takes a line, at most one each 10 s. stop: set when nobody waits any more.
    """

    def __init__(
        self,
        what: str,
        total: int,
        tell: Callable[[str], None],
        stop: Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._total = total
        self._tell = tell
        self._stop = stop
        self._clock = clock
        self._lock = Lock()
        self._done = 0
        self._began = self._told = clock()

    def add(self, count: int) -> None:
        """So many bytes more. Raises Stopped."""
        if self._stop.is_set():
            raise Stopped
        with self._lock:
            self._done += count
            now = self._clock()
            if now - self._told < EVERY_S:
                return
            self._told = now
            line = self._line(now - self._began)
        self._tell(line)

    def _line(self, seconds: float) -> str:
        rate = self._done / seconds
        left = f", {duration((self._total - self._done) / rate)} left" if rate > 0 else ""
        return f"{self._what}: {of(self._done, self._total)}, {size(rate)}/s{left}"


def bar_class(progress: Progress) -> type:
    """What huggingface_hub takes for a class of progress bars: each counts one file's bytes."""

    class Bar:
        def __init__(self, *args: object, **options: object) -> None:
            self.total = options.get("total")

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def update(self, n: float | None = 1) -> None:
            progress.add(int(n or 0))

        def update_transfer(self, n: float | None = 1) -> None:
            """What comes over the wire, as apart from what is written: the same bytes again."""

        def set_postfix_str(self, text: str, refresh: bool = False) -> None: ...

        def set_transfer_postfix_str(self, text: str, refresh: bool = False) -> None: ...

    return Bar


def size(count: float) -> str:
    """Bytes for people: `4.9 GB`."""
    unit, scale = _unit(count)
    return f"{count / scale:.{0 if unit == 'kB' else 1}f} {unit}"


def of(part: float, whole: float) -> str:
    """`1.2 of 4.9 GB`."""
    unit, scale = _unit(whole)
    return f"{part / scale:.1f} of {whole / scale:.1f} {unit}"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 20 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _unit(count: float) -> tuple[str, float]:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return unit, scale
    return "kB", 1e3
