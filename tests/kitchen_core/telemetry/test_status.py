import pytest

from kitchen_core.telemetry.schema import EventKind, RunStatus
from kitchen_core.telemetry.status import (
    STATUS_EVENTS,
    TRANSITIONS,
    InvalidTransition,
    check_transition,
)


def test_every_status_has_its_row_and_its_event():
    assert set(TRANSITIONS) == set(STATUS_EVENTS) == set(RunStatus)
    assert all(STATUS_EVENTS[status] == EventKind(f"run.{status}") for status in RunStatus)


def test_a_completed_run_stays_completed():
    for status in RunStatus:
        with pytest.raises(InvalidTransition, match="it is over; retry starts it anew"):
            check_transition(RunStatus.COMPLETED, status)


def test_every_status_can_be_reached_and_left_for_an_end():
    reachable = {RunStatus.QUEUED} | {to for allowed in TRANSITIONS.values() for to in allowed}
    assert reachable == set(RunStatus)


def test_only_a_queued_run_starts():
    assert [s for s, allowed in TRANSITIONS.items() if RunStatus.RUNNING in allowed] == ["queued"]
