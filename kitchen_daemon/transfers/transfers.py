"""Pushes and pulls that somebody watches: each a stream of lines, which ends what it tells of when nobody
reads it any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_core.train.ports.blobs import BlobStore
from kitchen_core.train.ports.notices import Notice
from kitchen_daemon.apart import Stopping
from kitchen_daemon.models import (
    BlobChoice,
    Problem,
    PullRequest,
    PushRequest,
    TransferItem,
    Transferred,
)
from kitchen_daemon.refusals import problem_of, status_of
from kitchen_daemon.secrets import read_secrets, redactor
from kitchen_daemon.transfers.account import Tell
from kitchen_daemon.transfers.parcels import Packer
from kitchen_daemon.transfers.pulling import Locks, Pulling
from kitchen_daemon.transfers.pushing import push

logger = logging.getLogger(__name__)

TURN_S = 0.25
"""How often there is a line about what is on its way."""

PING_S = 5.0
Work = Callable[[BlobStore, Tell], Coroutine[Any, Any, list[Transferred]]]


class Transfers:
    """Takes artifacts of one home to blob stores, and back."""

    def __init__(self, home: Home, store: Store) -> None:
        self._home = home
        self._store = store
        self._locks = Locks()
        self._tasks: set[asyncio.Task[TransferItem]] = set()
        self._closed = False

    def close(self) -> None:
        """End what is on its way; whoever watches it is told that the daemon is stopping."""
        self._closed = True
        for task in self._tasks:
            task.cancel()

    def push(self, request: PushRequest) -> AsyncIterator[str]:
        """The lines of a push."""

        async def work(blobs: BlobStore, tell: Tell) -> list[Transferred]:
            packer = Packer(self._store)
            parcels = await asyncio.to_thread(packer.pack, request.what, every=request.every)
            return [await push(blobs, parcel, self._home.scratch, tell) for parcel in parcels]

        return self._lines(request, work)

    def pull(self, request: PullRequest) -> AsyncIterator[str]:
        """The lines of a pull."""

        async def work(blobs: BlobStore, tell: Tell) -> list[Transferred]:
            pulling = Pulling(blobs, self._store, self._home.scratch, tell, self._locks)
            return await pulling.pull(request.sha256)

        return self._lines(request, work)

    async def _lines(self, choice: BlobChoice, work: Work) -> AsyncIterator[str]:
        feed = _Feed()
        task = asyncio.create_task(self._done(choice, work, feed))
        self._tasks.add(task)
        said_at = time.monotonic()
        try:
            while not (task.done() or self._closed):
                await asyncio.wait([task], timeout=TURN_S)
                for item in feed.take():
                    said_at = time.monotonic()
                    yield self._line(item)
                if time.monotonic() - said_at > PING_S:
                    said_at = time.monotonic()
                    yield "\n"
            ended = task.done() and not task.cancelled()
            last = task.result() if ended else _refused(Stopping("the daemon is stopping"))
            for item in (*feed.take(), last):
                yield self._line(item)
        finally:
            self._tasks.discard(task)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _line(self, item: TransferItem) -> str:
        said = redactor(self._home).value(item.model_dump(exclude_none=True))
        return json.dumps(said) + "\n"

    async def _done(self, choice: BlobChoice, work: Work, feed: _Feed) -> TransferItem:
        """The last item."""
        try:
            manifest = resolve_manifest(choice.manifest, choice.adapters, self._home.root)
            wiring = Wiring(manifest, read_secrets(self._home), feed.notice)
            try:
                blobs = await asyncio.to_thread(wiring.connect, "blob_store")  # it imports an SDK
                return TransferItem(done=await work(blobs, feed.tell))
            finally:
                await wiring.close()
        except Exception as error:  # whatever went wrong is told to the user
            return _refused(error)


class _Feed:
    """What has happened since it was asked last. Of a file on its way only the newest is kept."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: list[TransferItem] = []

    def tell(self, item: TransferItem) -> None:
        """Take an item, from any thread."""
        with suppress(RuntimeError):  # the loop has ended, and nobody reads
            self._loop.call_soon_threadsafe(self._add, item)

    def notice(self, notice: Notice) -> None:
        """Take what an adapter has to say, from any thread."""
        wait = "" if notice.wait_s is None else f"; next attempt in {notice.wait_s:.0f} s"
        self.tell(TransferItem(notice=f"{notice.message}{wait}"))

    def take(self) -> list[TransferItem]:
        """Give away what there is."""
        items, self._items = self._items, []
        return items

    def _add(self, item: TransferItem) -> None:
        if self._items and _is_moving(self._items[-1]):
            self._items.pop()
        self._items.append(item)


def _is_moving(item: TransferItem) -> bool:
    return item.file is not None and item.file.state == "moving"


def _refused(error: Exception) -> TransferItem:
    """The last item of a transfer that an error has ended."""
    status = status_of(error)
    if status is not None:
        return TransferItem(problem=problem_of(error), status=status)
    logger.error("a transfer failed", exc_info=error)
    message = f"the daemon failed: {type(error).__name__}: {error}"
    return TransferItem(problem=Problem(message=message), status=500)
