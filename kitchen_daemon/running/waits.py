"""Runs that wait for other runs, or that somebody holds, say so in the store, with an event; other reasons change
from moment to moment, and are told from the last decision.
"""

from __future__ import annotations

from collections.abc import Iterator

from kitchen_core.store.waiting import Wait
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.launching.pinning import LOST
from kitchen_daemon.launching.turns import HOLDING
from kitchen_daemon.models import WaitCode
from kitchen_daemon.queueing.states import Waiting
from kitchen_daemon.running.looking import Look


def held_anew(seen: Look) -> Iterator[Wait]:
    """Runs that are to be held, or are held for another reason than they were."""
    whys = seen.decision.whys
    for waiting in seen.state.waiting:
        row, why = seen.rows[waiting.id], whys.get(waiting.id)
        if why is None or why.code not in HOLDING or row.status == RunStatus.PAUSED:
            continue
        if row.status == RunStatus.HELD and (why.code is WaitCode.HELD or row.reason == why.text):
            continue
        yield Wait(waiting.id, why.text, _lost(waiting))


def not_held_any_more(seen: Look) -> Iterator[str]:
    """Runs that are held and need not be."""
    whys = seen.decision.whys
    for row in seen.rows.values():
        why = whys.get(row.id)
        if row.status == RunStatus.HELD and (why is None or why.code not in HOLDING):
            yield row.id


def _lost(waiting: Waiting) -> list[str]:
    """The parents that it waits for in vain."""
    return [each.id for each in waiting.parents if each.must_complete and each.status in LOST]
