"""Calls that go on: live items, and artifacts on their way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from kitchen_daemon.client.connection import Connection, Refused, Unreachable, given, understood
from kitchen_daemon.models import PullRequest, PushRequest, StreamItem, TransferItem


class StreamCalls(Connection):
    """What is told while it happens."""

    def stream(self, run: str | None = None, *, cursor: str | None = None) -> Iterator[StreamItem]:
        """Live items after `cursor` (all from the beginning without one), of one run or of
        everything.

        Ends when the daemon goes away (Unreachable is raised then); continue with the last item's
        cursor.
        """
        headers = {"Last-Event-ID": cursor} if cursor else {}
        params = given({"run": run})
        with self._streaming("GET", "/stream", params=params, headers=headers) as lines:
            yield from _items(lines)

    def push(self, request: PushRequest) -> Iterator[TransferItem]:
        """Take something to a blob store: what happens, until it is there. Closing ends it."""
        return self._transfer("/pushes", request)

    def pull(self, request: PullRequest) -> Iterator[TransferItem]:
        """Bring an artifact from a blob store: what happens, until it is here. Closing ends it."""
        return self._transfer("/pulls", request)

    def _transfer(self, path: str, request: BaseModel) -> Iterator[TransferItem]:
        """The items of a transfer. Raises Refused for its problem, and Unreachable where it was cut."""
        item = TransferItem()
        with self._streaming("POST", path, json=request.model_dump()) as lines:
            for line in filter(None, lines):
                item = understood(TransferItem, json.loads(line))
                if item.problem is not None:
                    raise Refused(item.status or 500, item.problem)
                yield item
        if item.done is None:
            raise Unreachable("the daemon went away before it was done; do it again to go on")


def _items(lines: Iterable[bytes]) -> Iterator[StreamItem]:
    """Server-sent events as items: each is an `id:` line, a `data:` line and an empty one."""
    cursor = ""
    for line in lines:
        if line.startswith(b"id: "):
            cursor = line[4:].decode()
        elif line.startswith(b"data: "):
            yield understood(StreamItem, {"cursor": cursor} | json.loads(line[6:]))
