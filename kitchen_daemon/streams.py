"""Live streams: everything that is written to the store, to whoever follows, each item once.

A stream interleaves events and metrics under one cursor, `EVENT_ID.METRIC_ID`: the newest of each
that was sent. Values that were written before an event are sent before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Event, MetricPoint
from kitchen_daemon.models import StreamItem

MOST_EVENTS = 500
MOST_POINTS = 5000


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

    def is_beyond(self, other: Cursor) -> bool:
        """Whether something has been sent that had not been at the other."""
        return self.event > other.event or self.metric > other.metric

    def __str__(self) -> str:
        return f"{self.event}.{self.metric}"


class Chunk(NamedTuple):
    """Some items on their way. data: as server-sent events. cursor: after the last. is_full: there may be more."""

    data: bytes
    cursor: Cursor
    is_full: bool


def read_chunk(
    store: Store, run_id: str | None, cursor: Cursor, end: Cursor | None = None
) -> Chunk | None:
    """What has come since the cursor, up to `end` where one is given; None for nothing."""
    events, points = _read(store, run_id, cursor)
    is_full = len(events) == MOST_EVENTS or len(points) == MOST_POINTS
    if end is not None:  # what is beyond it was read last, so all before it is there
        events = [event for event in events if event.id <= end.event]
        points = [point for point in points if point.id <= end.metric]
    items = in_order(cursor, events, points)
    if not items:
        return None
    return Chunk(b"".join(map(_sent, items)), items[-1][0], is_full)


def _sent(told: tuple[Cursor, StreamItem]) -> bytes:
    cursor, item = told
    data = item.model_dump_json(exclude={"cursor"}, exclude_defaults=True)
    return f"id: {cursor}\ndata: {data}\n\n".encode()


def _read(
    store: Store, run_id: str | None, cursor: Cursor
) -> tuple[list[Event], list[MetricPoint]]:
    """What has come since the cursor, as of one moment. A read takes only so much."""
    with store.db.snapshot():
        events = store.read_events(cursor.event, run_id, MOST_EVENTS)
        points = store.read_points(cursor.metric, run_id, MOST_POINTS)
    return events, points


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
