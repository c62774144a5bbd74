"""The order of a stream, on events and points as the store gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.telemetry.schema import Event, EventKind, MetricPoint
from kitchen_daemon import streams
from kitchen_daemon.streams import BadCursor, Cursor, in_order


def event(number, metric_mark):
    return Event(
        id=number,
        run_id="r",
        seq=number,
        attempt=1,
        at=0.0,
        kind=EventKind.LOG,
        metric_mark=metric_mark,
    )


def points(*ids):
    return [MetricPoint(id=i, run_id="r", name="loss", step=i, value=0.0) for i in ids]


def told(items):
    """Each item as `event 3` or the ids of its points."""
    return [
        f"event {item.event.id}" if item.event else [point.id for point in item.metrics]
        for _, item in items
    ]


def test_values_come_before_the_event_that_was_written_after_them():
    items = in_order(Cursor(), [event(1, 2), event(2, 2), event(3, 5)], points(1, 2, 4, 5, 6))
    assert told(items) == [[1, 2], "event 1", "event 2", [4, 5], "event 3", [6]]
    assert [str(cursor) for cursor, _ in items] == ["0.2", "1.2", "2.2", "2.5", "3.5", "3.6"]


def test_an_event_waits_while_values_before_it_were_not_read_yet():
    many = points(*range(1, streams.MOST_POINTS + 1))
    items = in_order(Cursor(), [event(1, 0), event(2, streams.MOST_POINTS + 7)], many)
    assert told(items) == ["event 1", [point.id for point in many]]


def test_values_wait_while_events_before_them_were_not_read_yet():
    many = [event(number, 0) for number in range(1, streams.MOST_EVENTS + 1)]
    assert told(in_order(Cursor(), many, points(1))) == [f"event {e.id}" for e in many]


def test_marks_of_other_runs_hold_nothing_up():
    assert told(in_order(Cursor(), [event(4, 900)], points(3))) == [[3], "event 4"]


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_from_any_cursor_on_everything_comes_once_and_in_order(writes, cut):
    """writes: in the order of writing, True for an event and False for a value."""
    events, values, order = [], [], []
    for is_event in writes:
        if is_event:
            events.append(event(len(events) + 1, len(values)))
            order.append(f"event {events[-1].id}")
        else:
            values.extend(points(len(values) + 1))
            order.append(values[-1].id)
    whole = in_order(Cursor(), events, values)
    at = whole[min(cut, len(whole) - 1)][0] if whole else Cursor()
    rest = in_order(at, events[at.event :], values[at.metric :])
    seen = whole[: min(cut, len(whole) - 1) + 1] + rest
    flat = [x for entry in told(seen) for x in (entry if isinstance(entry, list) else [entry])]
    assert flat == order


@pytest.mark.parametrize("text", ["12", "a.b", "1.", "-1.2"])
def test_a_cursor_that_no_stream_gave_out_is_refused(text):
    with pytest.raises(BadCursor, match=r"12\.345"):
        Cursor.parse(text)


def test_a_cursor_reads_back():
    assert Cursor.parse(str(Cursor(3, 14))) == Cursor(3, 14)
    assert Cursor.parse(None) == Cursor()
