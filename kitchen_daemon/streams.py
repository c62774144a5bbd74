"""Live streams: everything that is written to the store, to whoever follows, each item once.

A stream interleaves events and metrics under one cursor, `EVENT_ID.METRIC_ID`: the newest of each
that was sent. Values that were written before an event are sent before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Event, MetricPoint
from kitchen_daemon.models import StreamItem

POLL_SECONDS = 0.05
PING_SECONDS = 10.0
MOST_EVENTS = 500
MOST_POINTS = 5000
PING = ": ping\n\n"


class BadCursor(ValueError):  # noqa: N818 - named by the condition
    """A `Last-Event-ID` that no stream gave out."""


@dataclass(frozen=True)
class Cursor:
    """The newest event and metric that a stream has sent."""

    event: int = 0
    metric: int = 0

    @classmethod
    def now(cls, store: Store) -> Cursor:
        """Behind all that there is."""
        return cls(*store.newest_ids())

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """From a `Last-Event-ID`; the beginning without one. Raises BadCursor."""
        if not text:
            return cls()
        event, _, metric = text.partition(".")
        if not (event.isdecimal() and metric.isdecimal()):
            raise BadCursor(f"'{text}' is not a cursor; give the last id of a stream, as in 12.345")
        return cls(int(event), int(metric))

    def __str__(self) -> str:
        return f"{self.event}.{self.metric}"


class ChangeFeed:
    """Tells waiting streams that something was committed to the store, by whichever process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = asyncio.Event()

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


async def stream(
    store: Store, feed: ChangeFeed, run_id: str | None, cursor: Cursor
) -> AsyncIterator[str]:
    """Server-sent events from `cursor` on, without an end; a comment when nothing has happened
    for a while.
    """
    while True:
        change = feed.next_change()
        items = await asyncio.to_thread(_read, store, run_id, cursor)
        for cursor, item in items:
            data = item.model_dump_json(exclude={"cursor"}, exclude_defaults=True)
            yield f"id: {cursor}\ndata: {data}\n\n"
        if items:
            continue
        try:
            await asyncio.wait_for(change.wait(), PING_SECONDS)
        except TimeoutError:
            yield PING


def _read(store: Store, run_id: str | None, cursor: Cursor) -> list[tuple[Cursor, StreamItem]]:
    """What has come since the cursor, as of one moment, every value before the events that were
    written after it. A read takes only so much.
    """
    with store.db.snapshot():
        events = store.read_events(cursor.event, run_id, MOST_EVENTS)
        points = store.read_points(cursor.metric, run_id, MOST_POINTS)
    return in_order(cursor, events, points)


def in_order(
    cursor: Cursor, events: list[Event], points: list[MetricPoint]
) -> list[tuple[Cursor, StreamItem]]:
    """Events and points merged into the order of writing, each item with the cursor after it.

    Where a list is as long as a read can be, there may be more of it: what belongs behind the rest
    of it waits for the next read.
    """
    last_point = points[-1].id if len(points) == MOST_POINTS else None
    items: list[tuple[Cursor, StreamItem]] = []
    for event in events:
        if last_point is not None and event.metric_mark > last_point:
            _add_points(items, cursor, points)
            return items
        before, points = _split(points, event)
        cursor = _add_points(items, cursor, before)
        cursor = Cursor(event.id, cursor.metric)
        items.append((cursor, StreamItem(cursor=str(cursor), event=event)))
    if len(events) < MOST_EVENTS:
        _add_points(items, cursor, points)
    return items


def _split(points: list[MetricPoint], event: Event) -> tuple[list[MetricPoint], list[MetricPoint]]:
    count = sum(1 for point in points if point.id <= event.metric_mark)
    return points[:count], points[count:]


def _add_points(
    items: list[tuple[Cursor, StreamItem]], cursor: Cursor, points: list[MetricPoint]
) -> Cursor:
    if not points:
        return cursor
    cursor = Cursor(cursor.event, points[-1].id)
    items.append((cursor, StreamItem(cursor=str(cursor), metrics=points)))
    return cursor
