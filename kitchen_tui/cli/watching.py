"""Staying with a run until it rests, and saying how it ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.client import Client, Refused, Unreachable
from kitchen_daemon.models import RunInfo
from kitchen_tui.cli.displays import Display, LineDisplay, LiveDisplay, Silence
from kitchen_tui.cli.errors import Exit
from kitchen_tui.cli.follow import STATUS_KINDS, Follower
from kitchen_tui.cli.output import emit, emit_json, say, screen
from kitchen_tui.cli.run_view import RunView
from kitchen_tui.cli.views.runs import failure, seconds_taken, waits, warning_lines
from kitchen_tui.cli.views.watching import progress_words, watch_page
from kitchen_tui.format import duration

REFRESH_SECONDS = 0.5
WAIT_SECONDS = 1.0


def stay(client: Client, run: RunInfo, *, watch: bool, as_json: bool) -> None:
    """Watch a run, or wait for it, until it rests; then print it and exit as it ended."""
    display = watching(as_json) if watch else waiting()
    view = accompany(client, run, display)
    if as_json:
        emit_json(view.info)
    else:
        if not isinstance(display, LineDisplay):  # which has said them already
            for line in warning_lines(view.warnings, run.id):
                say(line)
        print_end(view.info)
    raise typer.Exit(exit_code(view.info))


def accompany(client: Client, run: RunInfo, display: Display) -> RunView:
    """Follow a run on a display until it rests. Ctrl-C leaves the run alone and exits."""
    view = RunView(run)
    try:
        _follow(client, view, display)
    except KeyboardInterrupt:
        say(f"\nThe run goes on. Look again: kitchen watch {run.id}")
        say(f"Cancel it: kitchen cancel {run.id}")
        raise typer.Exit(Exit.INTERRUPTED) from None
    return view


def watching(as_json: bool) -> Display:
    """The display of `watch`: a page on a terminal, lines elsewhere; beside JSON it goes to stderr."""
    console = screen(stderr=as_json)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console, _page, keep=True)
    return LineDisplay(say if as_json else emit)


def waiting() -> Display:
    """The display of `--wait`: one line on a terminal, nothing elsewhere."""
    console = screen(stderr=True)
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        return LiveDisplay(console, _line, keep=False)
    return Silence()


def print_end(run: RunInfo) -> None:
    """How a run ended: a line to stdout; what went wrong to stderr."""
    seconds = seconds_taken(run)
    took = "" if seconds is None else f" after {duration(seconds)}"
    emit(f"{run.id}  {run.status.value}{took}")
    if run.error:
        console = screen(stderr=True)
        console.print(failure(run.error), soft_wrap=not console.is_terminal)
    elif run.reason:
        say(run.reason)
    if run.status in (RunStatus.FAILED, RunStatus.CANCELLED) and run.progress.step:
        say(f"go on from its last checkpoint: kitchen resume {run.id}")


def exit_code(run: RunInfo) -> Exit:
    """Done only if the run completed."""
    return Exit.DONE if run.status is RunStatus.COMPLETED else Exit.RUN_FAILED


def _follow(client: Client, view: RunView, display: Display) -> None:
    def on_away(away: bool) -> None:
        view.away = away
        display.show(None)

    follower = Follower(client, view.info.id, on_away)

    def refresh() -> None:
        info = follower.ask(lambda: client.run(view.info.id))
        with view.lock:
            view.info = info

    refreshed_at = 0.0
    display.begin(view)
    try:
        with _keeping_up(client, view, display):
            for item in follower.until_rest():
                with view.lock:
                    view.take(item)
                changed = item.event is not None and item.event.kind in STATUS_KINDS
                if changed or time.monotonic() - refreshed_at >= REFRESH_SECONDS:
                    refresh()
                    refreshed_at = time.monotonic()
                display.show(item)
            refresh()
    finally:
        display.end()


@contextmanager
def _keeping_up(client: Client, view: RunView, display: Display) -> Iterator[None]:
    """While a run waits, ask now and then why: that changes without an event."""
    over = Event()

    def keep_up() -> None:
        while not over.wait(WAIT_SECONDS):
            if not waits(view.info):
                continue
            with suppress(Unreachable, Refused):  # whoever follows the stream says so
                info = client.run(view.info.id)
                with view.lock:
                    view.info = info if waits(view.info) else view.info
                display.show(None)

    thread = Thread(target=keep_up, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(WAIT_SECONDS)


def _page(view: RunView, console: Console) -> RenderableType:
    return watch_page(view, console.width, console.height)


def _line(view: RunView, console: Console) -> RenderableType:
    return Text(progress_words(view), no_wrap=True, overflow="ellipsis")
