"""Those who follow: what is new is read from the store once for all of them.

Followers of the same run, or of everything, share a tail: one reader, which hands each new chunk to all. Who begins
with an older cursor, or falls behind, catches up from the store by itself first; who was told elsewhere what the tail
has not read yet reads the rest of its next chunk by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from kitchen_core.store.store import Store
from kitchen_daemon.streams import Chunk, Cursor, read_chunk

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.05
PING_SECONDS = 10.0
PING = b": ping\n\n"
MOST_WAITING = 32
"""Chunks that wait for a follower that is slow to take them; it reads from the store itself after that."""


class ChangeFeed:
    """Tells followers what was committed to the store, by whichever process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = asyncio.Event()
        self._tails: dict[str | None, _Tail] = {}

    async def watch(self) -> None:
        """Look for commits until cancelled."""
        seen = self._store.data_version()
        while True:
            await asyncio.sleep(POLL_SECONDS)
            version = self._store.data_version()
            if version != seen:
                seen = version
                self._changed.set()
                self._changed = asyncio.Event()

    def next_change(self) -> asyncio.Event:
        """Set at the next commit. Take it before reading, so that nothing falls between."""
        return self._changed

    async def follow(self, run_id: str | None, cursor: Cursor) -> AsyncIterator[bytes]:
        """Server-sent events from `cursor` on, without an end; a comment when nothing has happened
        for a while.
        """
        while True:
            with self._joined(run_id) as follower:
                async for chunk in self._until(follower.joined_at, run_id, cursor):
                    cursor = chunk.cursor
                    yield chunk.data
                told = follower.joined_at
                while not follower.is_behind:
                    chunk = await follower.next()
                    if chunk is None:
                        yield PING
                        continue
                    if cursor.is_beyond(told):
                        async for rest in self._until(chunk.cursor, run_id, cursor):
                            cursor = rest.cursor
                            yield rest.data
                    else:
                        cursor = chunk.cursor
                        yield chunk.data
                    told = chunk.cursor

    async def _until(self, end: Cursor, run_id: str | None, cursor: Cursor) -> AsyncIterator[Chunk]:
        """What lies between two cursors."""
        while cursor != end:
            chunk = await asyncio.to_thread(read_chunk, self._store, run_id, cursor, end)
            if chunk is None:
                return
            yield chunk
            cursor = chunk.cursor

    @contextmanager
    def _joined(self, run_id: str | None) -> Iterator[_Follower]:
        """One follower more of a tail, for a block."""
        tail = self._tails.get(run_id)
        if tail is None or tail.is_over:
            tail = self._tails[run_id] = _Tail(self._store, self, run_id)
        follower = tail.join()
        try:
            yield follower
        finally:
            tail.leave(follower)
            if tail.is_over and self._tails.get(run_id) is tail:
                del self._tails[run_id]


class _Follower:
    """Takes a tail's chunks at its own pace. joined_at: what comes by the tail comes after this."""

    def __init__(self, joined_at: Cursor) -> None:
        self.joined_at = joined_at
        self._waiting: asyncio.Queue[Chunk] = asyncio.Queue(MOST_WAITING)
        self._is_left_out = False

    @property
    def is_behind(self) -> bool:
        """Whether the tail has gone on without it, and it has taken all that it was given before."""
        return self._is_left_out and self._waiting.empty()

    def give(self, chunk: Chunk) -> bool:
        """Hand it a chunk; whether it had room for it."""
        if self._waiting.full():
            self.leave_out()
            return False
        self._waiting.put_nowait(chunk)
        return True

    def leave_out(self) -> None:
        """Give it nothing more."""
        self._is_left_out = True

    async def next(self) -> Chunk | None:
        """The next chunk; None where nothing has come for a while."""
        try:
            return await asyncio.wait_for(self._waiting.get(), PING_SECONDS)
        except TimeoutError:
            return None


class _Tail:
    """The end of a run's log, or of the whole one, for those who follow it."""

    def __init__(self, store: Store, feed: ChangeFeed, run_id: str | None) -> None:
        self._store = store
        self._feed = feed
        self._run_id = run_id
        self._cursor = Cursor(*store.newest_ids())
        self._followers: set[_Follower] = set()
        self._task = asyncio.create_task(self._serve())

    @property
    def is_over(self) -> bool:
        """Whether nobody follows any more, or the store could not be read."""
        return not self._followers or self._task.done()

    def join(self) -> _Follower:
        """One follower more."""
        follower = _Follower(self._cursor)
        self._followers.add(follower)
        return follower

    def leave(self, follower: _Follower) -> None:
        """One follower less; with the last the tail ends."""
        self._followers.discard(follower)
        if not self._followers:
            self._task.cancel()

    async def _serve(self) -> None:
        """Hand out what comes, until cancelled."""
        try:
            while True:
                change = self._feed.next_change()
                chunk = await asyncio.to_thread(read_chunk, self._store, self._run_id, self._cursor)
                if chunk is not None:
                    self._cursor = chunk.cursor
                    self._followers = {each for each in self._followers if each.give(chunk)}
                if chunk is None or not chunk.is_full:
                    await change.wait()
        except Exception:  # its followers look again by themselves
            logger.exception("what is new could not be read")
            for follower in self._followers:
                follower.leave_out()
