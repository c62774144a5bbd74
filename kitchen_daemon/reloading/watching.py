"""Looking again whenever something may have changed.

The kernel's word is taken as a hint and no more: what has changed is found by looking. So a change that happens while
the watch is set up, a queue of hints that overflows, or a folder that goes and comes back loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import psutil
from watchfiles import Change, awatch

logger = logging.getLogger(__name__)

GATHER_MS = 20
"""Hints that come so close to each other are one."""

GATHER_MOST_MS = 200
POLL_S = 1.0
"""How often to look where the kernel does not tell."""

RETRY_S = 60.0
"""After how long to ask the kernel again."""

_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)

Look = Callable[[], Awaitable[set[Path]]]
"""Looks, and says which directories to watch from then on."""


async def watch(look: Look, again: asyncio.Event, on_trouble: Callable[[str], None]) -> None:
    """Look now, whenever something may have changed, and when `again` is set, until cancelled.

    on_trouble is told why changes are not seen at once, and nothing once they are.
    """
    directories = await look()
    while True:
        try:
            directories = await _while_the_same(directories, look, again, on_trouble)
        except FileNotFoundError:  # gone since it was looked at
            directories = await look()
        except (OSError, RuntimeError) as error:  # RuntimeError: what watchfiles has no name for
            what, _, _ = str(error).partition(". about")  # the rest is for those who wrote it
            trouble = (
                f"the kernel lets nobody watch the recipe folders ({what}), so they are looked at "
                f"every {POLL_S:g} s: raise fs.inotify.max_user_watches and max_user_instances"
            )
            logger.warning("%s", trouble)
            on_trouble(trouble)
            directories = await _poll(look)


async def _while_the_same(
    directories: set[Path], look: Look, again: asyncio.Event, on_trouble: Callable[[str], None]
) -> set[Path]:
    """Watch until other directories are to be watched, or these anew; which."""
    remote = await asyncio.to_thread(is_remote, directories)
    hints = awatch(
        *sorted(directories),
        recursive=False,
        watch_filter=None,
        debounce=GATHER_MOST_MS,
        step=GATHER_MS,
        ignore_permission_denied=False,  # which would also say nothing of a limit
        force_polling=False,
        yield_on_timeout=remote,
        rust_timeout=round(POLL_S * 1000) if remote else None,
    )
    next_hint = asyncio.ensure_future(anext(hints))
    asked = asyncio.ensure_future(again.wait())
    try:
        await asyncio.sleep(0)  # now it watches; what came before is seen by this look
        if next_hint.done():
            next_hint.result()  # or it can't
        wanted = await look()
        on_trouble("")
        while wanted == directories:
            await asyncio.wait([next_hint, asked], return_when=asyncio.FIRST_COMPLETED)
            if asked.done():
                again.clear()
                asked = asyncio.ensure_future(again.wait())
            hint = next_hint.result() if next_hint.done() else set()
            if any(change is Change.deleted and Path(path) in directories for change, path in hint):
                return await look()  # one of the same name would not be watched
            if next_hint.done():
                next_hint = asyncio.ensure_future(anext(hints))
            wanted = await look()
        return wanted
    finally:
        for task in (next_hint, asked):
            task.cancel()
        await asyncio.wait([next_hint, asked])
        await hints.aclose()


async def _poll(look: Look) -> set[Path]:
    """Look again and again, for RETRY_S."""
    for _ in range(round(RETRY_S / POLL_S)):
        await asyncio.sleep(POLL_S)
        await look()
    return await look()


def is_remote(directories: Iterable[Path]) -> bool:
    """Whether one lies on a file system that others change without this kernel's knowing."""
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return any(_type_of(directory.resolve(), mounts) in _REMOTE for directory in directories)


def _type_of(directory: Path, mounts: dict[Path, str]) -> str:
    places = (directory, *directory.parents)
    return next((mounts[place] for place in places if place in mounts), "")
