"""The order of the queue: by priority, the highest first, then by rank, the lowest first.

A rank is the time of the submission until somebody moves the run; then it lies between its neighbours'.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Literal, NamedTuple

from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.queue import IN_ORDER, WAITS
from kitchen_core.store.runs import update_run
from kitchen_core.store.waiting import check_waits

_SPACE_S = 1.0
"""Between ranks that are given anew."""
_BEHIND_S = 1e-6
"""Behind the last: nearer than the next submission."""
_PLACES = f"SELECT id, priority, rank FROM run WHERE {WAITS} AND id != ? {IN_ORDER}"
_ALIVE = f"""
SELECT id, rank FROM run
WHERE priority = ? AND status NOT IN ('completed', 'failed', 'cancelled') {IN_ORDER}
"""


class _Place(NamedTuple):
    id: str
    priority: int
    rank: float


class Order:
    """The store's order of what waits."""

    db: Database

    def move(
        self, run_id: str, to: Literal["first", "last", "before", "after"], other: str | None = None
    ) -> None:
        """Give a run that waits another place, durably.

        It takes the priority of its new neighbour: of the first or last that waits, or of `other`, which `before`
        and `after` need. Raises NotFound, and NotWaiting where one of the two does not wait.
        """
        with self.db.write(durable=True) as connection:
            check_waits(connection, run_id, "moved")
            if other is not None:
                check_waits(connection, other, "moved to")
            places = [_Place._make(row) for row in connection.execute(_PLACES, (run_id,))]
            if not places:
                return
            at = _index(places, to, other)
            before = to in ("first", "before")
            priority = places[at].priority
            rank = _rank_beside(places, at, before)
            if rank is None:
                _space_out(connection, priority)
                places = [_Place._make(row) for row in connection.execute(_PLACES, (run_id,))]
                rank = _rank_beside(places, at, before)
            update_run(connection, run_id, priority=priority, rank=rank)


def _index(places: list[_Place], to: str, other: str | None) -> int:
    """Whose neighbour the run becomes."""
    match to:
        case "first":
            return 0
        case "last":
            return len(places) - 1
    found = [at for at, place in enumerate(places) if place.id == other]
    if not found:
        raise NotFound("other run that waits", other or "")
    return found[0]


def _rank_beside(places: list[_Place], at: int, before: bool) -> float | None:
    """A rank next to that place, on one side; None where no number lies between it and the next."""
    here = places[at]
    beyond = at - 1 if before else at + 1
    beyond_rank: float | None = None
    if 0 <= beyond < len(places) and places[beyond].priority == here.priority:
        beyond_rank = places[beyond].rank
    if beyond_rank is None:
        return here.rank - _SPACE_S if before else max(time.time(), here.rank + _BEHIND_S)
    low, high = sorted((here.rank, beyond_rank))
    middle = low + (high - low) / 2
    return middle if low < middle < high else None


def _space_out(connection: sqlite3.Connection, priority: int) -> None:
    """Rank anew what has not ended, in the same order. The ranks lie in the past, so that later submissions
    follow.
    """
    ids = [row["id"] for row in connection.execute(_ALIVE, (priority,))]
    first = time.time() - _SPACE_S * len(ids)
    for place, run_id in enumerate(ids):
        update_run(connection, run_id, rank=first + _SPACE_S * place)
