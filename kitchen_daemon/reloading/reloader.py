"""Hot reload: a change in a recipe folder is noticed, waited for until it is whole, read in a process of its own, and
told.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.launching.checking import Superseded
from kitchen_daemon.launching.folders import MOST_DIRECTORIES, Sight, look_at
from kitchen_daemon.launching.settling import Unsettled
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.reloading.readings import Readings
from kitchen_daemon.reloading.watching import watch

logger = logging.getLogger(__name__)

READERS = 32
"""How many recipes are read at the same time. Most of that is waiting, some of it for recipes that never end: those
are not to hold up the others.
"""

GONE_S = 0.2
"""How long a file may be away while an editor puts another in its place."""

RETRY_S = 5.0

P = ParamSpec("P")
T = TypeVar("T")


class Reloader:
    """Keeps the shelf as the recipe folders are."""

    def __init__(self, home: Home, store: Store, shelf: Shelf) -> None:
        self._shelf = shelf
        self._readings = Readings(home, store, shelf)
        self._threads = ThreadPoolExecutor(READERS, "reload")
        self._sight = Sight()
        self._again = asyncio.Event()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._newer: dict[str, int] = {}
        """By recipe that is being read, an eventfd which says that it has changed since."""

    async def serve(self) -> None:
        """Notice changes until cancelled."""
        try:
            await watch(self._look, self._again, self._on_trouble)
        finally:
            for task in self._following.values():
                task.cancel()
            for newer in self._newer.values():
                os.eventfd_write(newer, 1)
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> set[Path]:
        known = list(self._readings.known.values())
        files = {file for each in known for file in each.files}
        before, is_first = self._sight, not self._sight.directories
        now = self._sight = await asyncio.to_thread(look_at, self._shelf.folders, files)
        if is_first:
            due = now.recipes.keys() | self._readings.names
            self._shelf.expect(due)
        else:
            due = self._changed(before, now)
        for name in due:
            self._read_again(name)
        return now.directories

    def _changed(self, before: Sight, now: Sight) -> set[str]:
        """The recipes that what differs between two looks may change."""
        differing = before.stamps.items() ^ now.stamps.items()
        changed = {path for path, _ in differing}
        come_and_gone = {name for name, _ in before.recipes.items() ^ now.recipes.items()}
        themselves = {name for name, path in now.recipes.items() if path in changed}
        new = changed - before.stamps.keys()
        installed = bool(changed & now.installed)
        through_others = {
            name
            for name, known in self._readings.known.items()
            if (known.is_broken and installed) or known.depends_on(changed, new)
        }
        return come_and_gone | themselves | through_others

    def _on_trouble(self, trouble: str) -> None:
        untidy = [
            f"{folder} holds over {MOST_DIRECTORIES} folders, and only the nearest are watched: "
            "give your recipes a folder of their own"
            for folder in self._sight.untidy
        ]
        self._shelf.trouble = trouble or "; ".join(untidy)

    def _read_again(self, name: str) -> None:
        if name in self._newer:
            os.eventfd_write(self._newer[name], 1)
        elif name not in self._following:
            self._following[name] = asyncio.ensure_future(self._follow(name))

    async def _follow(self, name: str) -> None:
        """Read a recipe until what was read is what is there."""
        try:
            with self._told_of_newer(name) as newer:
                while not await self._read(name, newer) or _take(newer):
                    _take(newer)
        finally:
            del self._following[name]

    async def _read(self, name: str, newer: int) -> bool:
        """Whether a recipe is done with, unless it has changed meanwhile."""
        try:
            if not await self._apart(self._readings.read, name, newer):
                await asyncio.sleep(GONE_S)
                if not await self._apart(self._readings.read, name, newer):
                    await self._apart(self._readings.forget, name)
        except (Superseded, Unsettled):
            return False
        except Exception:  # a full disk, say: the others are to be seen
            logger.exception("recipe %s could not be reloaded; trying again", name)
            await asyncio.sleep(RETRY_S)
            return False
        if not self._readings.files_of(name) <= self._sight.stamps.keys():
            self._again.set()  # it imports from where nobody has looked yet
        return True

    async def _apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(work, *args, **kwargs))

    @contextmanager
    def _told_of_newer(self, name: str) -> Iterator[int]:
        newer = self._newer[name] = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            yield newer
        finally:
            del self._newer[name]
            os.close(newer)


def _take(eventfd: int) -> bool:
    """Whether it was set; it is not any more."""
    try:
        return os.eventfd_read(eventfd) > 0
    except BlockingIOError:
        return False
