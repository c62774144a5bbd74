import math

import pytest

from kitchen_core.telemetry.emitter import Telemetry
from kitchen_core.telemetry.schema import EventKind


class Sink:
    """Keeps what it is given, in order."""

    def __init__(self):
        self.events, self.rows, self.calls = [], [], []

    def append(self, events):
        self.events.extend(events)
        self.calls.append("events")

    def write_metrics(self, rows):
        self.rows.extend(rows)
        self.calls.append("metrics")


@pytest.fixture
def sink():
    return Sink()


def test_metrics_are_written_before_an_event_that_comes_after_them(sink):
    telemetry = Telemetry(sink)
    telemetry.metrics(3, {"loss": 0.5})
    telemetry.event(EventKind.LOG, message="hi")
    assert sink.calls == ["metrics", "events"]
    assert sink.rows == [("loss", 3, 0.5)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_null_and_told(sink, value):
    telemetry = Telemetry(sink)
    telemetry.metrics(2, {"loss": value})
    telemetry.close()
    assert sink.rows == [("loss", 2, None)]
    assert sink.events[0].metadata == {"level": "warning", "message": f"loss is {value} at step 2"}


def test_outside_of_loops_every_turn_is_recorded_whole(sink):
    telemetry = Telemetry(sink)
    for _ in range(3):
        with telemetry.stage("Load", 0, hot=False):
            pass
    assert [event.kind for event in sink.events] == ["stage.started", "stage.completed"] * 3


def test_failures_are_never_folded(sink):
    telemetry = Telemetry(sink)
    for step in range(3):
        with pytest.raises(ValueError), telemetry.stage("Step", step, hot=True):
            raise ValueError("no")
    failed = [event for event in sink.events if event.kind == EventKind.STAGE_FAILED]
    assert [event.step for event in failed] == [0, 1, 2]


def test_close_writes_the_folds_that_are_left(sink):
    telemetry = Telemetry(sink)
    for step in range(5):
        with telemetry.stage("Step", step, hot=True):
            pass
    telemetry.close()
    (folded,) = [event for event in sink.events if event.kind == EventKind.STAGE_FOLDED]
    assert folded.measurements["count"] == 4
    assert folded.measurements["min_s"] <= folded.measurements["max_s"]
    assert folded.measurements["total_s"] >= folded.measurements["max_s"]
