"""Artifacts on their way: bars on a terminal, plain lines elsewhere, and how it came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from kitchen_daemon.models import Begun, FileProgress, TransferItem, Transferred
from kitchen_tui.format import size

Show = Callable[[TransferItem], None]
LINE_SECONDS = 10.0
"""How often there is a line about a file that takes long."""


@contextmanager
def silence() -> Iterator[Show]:
    """Shows nothing."""
    yield lambda item: None


@contextmanager
def lines(write: Callable[[str], None], verb: str) -> Iterator[Show]:
    """A line a file, and now and then one about a file that takes long."""
    said_at = time.monotonic()

    def show(item: TransferItem) -> None:
        nonlocal said_at
        if item.file and item.file.state == "moving":
            if time.monotonic() - said_at < LINE_SECONDS:
                return
            write(f"  {item.file.path}  {size(item.file.done_bytes)} so far")
        else:
            for line in _words(item, verb):
                write(line)
        said_at = time.monotonic()

    yield show


@contextmanager
def bars(console: Console, verb: str) -> Iterator[Show]:
    """A bar an artifact, below a line a file."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar, before = None, 0

        def show(item: TransferItem) -> None:
            nonlocal bar, before
            for line in _words(item, verb):
                progress.print(line)
            if item.begun:
                if bar is not None:
                    progress.remove_task(bar)
                bar, before = progress.add_task(item.begun.name, total=item.begun.size_bytes), 0
            elif item.file and bar is not None:
                progress.update(bar, completed=before + item.file.done_bytes)
                if item.file.state != "moving":
                    before += item.file.size_bytes

        yield show


def summary(done: Transferred, verb: str) -> str:
    """How it came out, on one line."""
    whole = f"{done.sha256}  {done.name}  {size(done.size_bytes)}"
    if not done.moved_files:
        return f"{whole}, {'all there' if verb == 'sent' else 'here'} already"
    rest = ", the rest was there" if done.moved_files < done.files else ""
    files = "file" if done.moved_files == 1 else "files"
    return f"{whole}: {done.moved_files} {files}, {size(done.moved_bytes)} {verb}{rest}"


def _words(item: TransferItem, verb: str) -> list[str]:
    if item.begun:
        return [_begun_words(item.begun, verb)]
    if item.notice:
        return [item.notice]
    if item.file and item.file.state != "moving":
        return [_file_words(item.file, verb)]
    return []


def _begun_words(begun: Begun, verb: str) -> str:
    way = "to" if verb == "sent" else "from"
    files = "1 file" if begun.files == 1 else f"{begun.files} files"
    return (
        f"{begun.name}  {begun.sha256[:12]}  {files}, {size(begun.size_bytes)}, {way} {begun.place}"
    )


def _file_words(file: FileProgress, verb: str) -> str:
    became = verb if file.state == "moved" else "there already"
    return f"  {file.path}  {size(file.size_bytes)}  {became}"
