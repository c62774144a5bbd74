"""The one table of run statuses: what may follow what, and the event that says so."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kitchen_core.telemetry.schema import EventKind, RunStatus

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = MappingProxyType(
    {
        RunStatus.QUEUED: frozenset(
            {
                RunStatus.HELD,
                RunStatus.RUNNING,
                RunStatus.FAILED,
                RunStatus.CANCELLED,
                RunStatus.INTERRUPTED,
            }
        ),
        RunStatus.HELD: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED}),
        RunStatus.RUNNING: frozenset(
            {
                RunStatus.COMPLETED,
                RunStatus.FAILED,
                RunStatus.CANCELLED,
                RunStatus.PAUSED,
                RunStatus.INTERRUPTED,
            }
        ),
        RunStatus.PAUSED: frozenset({RunStatus.QUEUED, RunStatus.HELD, RunStatus.CANCELLED}),
        RunStatus.INTERRUPTED: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED}),
        RunStatus.FAILED: frozenset({RunStatus.QUEUED}),
        RunStatus.CANCELLED: frozenset({RunStatus.QUEUED}),
        RunStatus.COMPLETED: frozenset(),
    }
)
"""A queued run is interrupted where its worker dies before it has begun. Failed and cancelled runs go back to the
queue by `resume`; `retry` makes a new run and is no transition.
"""

STATUS_EVENTS: Mapping[RunStatus, EventKind] = MappingProxyType(
    {
        RunStatus.QUEUED: EventKind.RUN_QUEUED,
        RunStatus.HELD: EventKind.RUN_HELD,
        RunStatus.RUNNING: EventKind.RUN_RUNNING,
        RunStatus.PAUSED: EventKind.RUN_PAUSED,
        RunStatus.INTERRUPTED: EventKind.RUN_INTERRUPTED,
        RunStatus.COMPLETED: EventKind.RUN_COMPLETED,
        RunStatus.FAILED: EventKind.RUN_FAILED,
        RunStatus.CANCELLED: EventKind.RUN_CANCELLED,
    }
)


class InvalidTransition(ValueError):  # noqa: N818 - named by what happened
    """A status change that the table does not allow."""

    def __init__(self, current: RunStatus, asked: RunStatus) -> None:
        allowed = " or ".join(sorted(TRANSITIONS[current]))
        rest = f"it can become {allowed}" if allowed else "it is over; retry starts it anew"
        super().__init__(f"a {current} run can't be {asked}: {rest}")
        self.current = current
        self.asked = asked


def check_transition(current: RunStatus, asked: RunStatus) -> None:
    """Raise InvalidTransition unless `asked` may follow `current`."""
    if asked not in TRANSITIONS[current]:
        raise InvalidTransition(current, asked)
