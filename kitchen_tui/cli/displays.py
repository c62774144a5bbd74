"""How a run is shown while it is being watched: live on a terminal, in plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_daemon.models import RunInfo, StreamItem, WaitCode
from kitchen_tui.cli.run_view import RunView, is_notice
from kitchen_tui.cli.views.watching import evaluation_words, log_words, progress_words

FRAMES_PER_SECOND = 4
LINE_SECONDS = 1.0
Draw = Callable[[RunView, Console], RenderableType]
_TOLD = {
    EventKind.RUN_QUEUED: "queued",
    EventKind.RUN_HELD: "held",
    EventKind.RUN_RUNNING: "running",
    EventKind.RUN_RESUMED: "resumed",
    EventKind.RUN_PAUSED: "paused",
    EventKind.RUN_INTERRUPTED: "interrupted",
}


class Display(Protocol):
    """Shows a run while it is being watched."""

    def begin(self, view: RunView) -> None:
        """Start to show."""
        ...

    def show(self, item: StreamItem | None) -> None:
        """The view has learned an item, or something else about it has changed."""
        ...

    def end(self) -> None:
        """Leave the screen in order."""
        ...


class LiveDisplay:
    """A frame that is drawn again at a steady rate, by a thread of its own."""

    def __init__(self, console: Console, draw: Draw, *, keep: bool) -> None:
        self._console = console
        self._draw = draw
        self._keep = keep
        self._live: Live | None = None

    def begin(self, view: RunView) -> None:
        """Take the terminal."""

        def frame() -> RenderableType:
            with view.lock:
                return self._draw(view, self._console)

        self._live = Live(
            console=self._console,
            get_renderable=frame,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=not self._keep,
        )
        self._live.start()

    def show(self, item: StreamItem | None) -> None:
        """The thread will see."""

    def end(self) -> None:
        """Draw the last frame and give the terminal back."""
        if self._live:
            self._live.stop()


class LineDisplay:
    """Plain lines: one a second at most about progress, and one for what matters in between."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._said_at = 0.0
        self._was_away = False
        self._said_wait = ""

    def begin(self, view: RunView) -> None:
        """Remember whom it is about."""
        self._view = view

    def show(self, item: StreamItem | None) -> None:
        """Say what is new."""
        if item and item.event:
            self._say_event(item.event)
        elif self._view.away != self._was_away:
            self._write("reconnecting…" if self._view.away else "the daemon is back")
        elif item and item.metrics and time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            self._write(progress_words(self._view))
        self._was_away = self._view.away
        if item is None or (item.event and item.event.kind in _TOLD):
            self._say_wait(self._view.info)

    def end(self) -> None:
        """Nothing is left open."""

    def _say_wait(self, run: RunInfo) -> None:
        """Say why the run waits, whenever it waits for something else."""
        waits = run.code not in (None, WaitCode.STARTING)
        if waits and run.reason and run.reason != self._said_wait:
            self._said_wait = run.reason
            self._write(f"waits: {run.reason}")

    def _say_event(self, event: Event) -> None:
        if event.kind is EventKind.EVAL_COMPLETED:
            self._write(f"evaluated  {evaluation_words(event)}")
        elif event.kind is EventKind.LOG or is_notice(event):
            self._write(log_words(event))
        elif event.kind in _TOLD:
            step = f" at step {event.step}" if event.step else ""
            self._write(f"{_TOLD[event.kind]}{step}")


class Silence:
    """Shows nothing."""

    def begin(self, view: RunView) -> None:
        """Nothing."""

    def show(self, item: StreamItem | None) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
