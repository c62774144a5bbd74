"""What waits for a worker, and what has one, read for the queue's decision: slim rows, never whole runs.

A run waits while it is queued or held, or while the kitchen has paused it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kitchen_core.store.database import Database
from kitchen_core.store.records import json_text

WAITS = "(status IN ('queued', 'held') OR (status = 'paused' AND paused_for IS NOT NULL))"
IN_ORDER = "ORDER BY priority DESC, rank, run.id"
_WAITING = f"""
SELECT run.id, name, recipe, status, reason, priority, rank, queue_group, is_held, not_before, "window", preempts,
  needs, progress_step, coalesce(total_steps, quote.steps), quote.seconds
FROM run LEFT JOIN quote ON quote.run_id = run.id WHERE {WAITS} {IN_ORDER}
"""
_QUEUED = f"SELECT id FROM run WHERE status = 'queued' {IN_ORDER} LIMIT ?"
_PARENTS = f"""
WITH waiting AS (SELECT id, after, after_any FROM run WHERE {WAITS})
SELECT waiting.id, parent.id, parent.name, parent.status, 1
  FROM waiting JOIN json_each(waiting.after) AS link JOIN run AS parent ON parent.id = link.value
UNION ALL
SELECT waiting.id, parent.id, parent.name, parent.status, 0
  FROM waiting JOIN json_each(waiting.after_any) AS link JOIN run AS parent ON parent.id = link.value
"""
_AT_WORK = """
SELECT run.id, name, recipe, status, priority, rank, queue_group, "window", preempts, intent, paused_for, eta_s,
  progress_step, coalesce(total_steps, quote.steps), quote.seconds
FROM run LEFT JOIN quote ON quote.run_id = run.id WHERE run.id IN (SELECT value FROM json_each(?))
"""


class WaitingRow(NamedTuple):
    """A run that waits. needs: JSON. step of total_steps are done; seconds: what its quote says of all of them."""

    id: str
    name: str
    recipe: str
    status: str
    reason: str | None
    priority: int
    rank: float
    group: str
    is_held: int
    not_before: float | None
    window: str | None
    preempts: int
    needs: str
    step: int
    total_steps: int | None
    seconds: float | None


class AtWorkRow(NamedTuple):
    """A run that has a worker. eta_s: seconds left, as it says itself."""

    id: str
    name: str
    recipe: str
    status: str
    priority: int
    rank: float
    group: str
    window: str | None
    preempts: int
    intent: str | None
    paused_for: str | None
    eta_s: float | None
    step: int
    total_steps: int | None
    seconds: float | None


class ParentRow(NamedTuple):
    """A run that `child` comes after. must_complete: ending in another way is not enough."""

    child: str
    id: str
    name: str
    status: str
    must_complete: int


class Queue:
    """The store's queue."""

    db: Database

    def waiting_rows(self) -> list[WaitingRow]:
        """What waits, in order: by priority, then by rank. Some may have a worker that is about to begin."""
        return [WaitingRow._make(row) for row in self.db.tuples(_WAITING)]

    def queued_ids(self, limit: int | None = None) -> list[str]:
        """What is queued, in order: the first `limit`, or all."""
        return [row["id"] for row in self.db.rows(_QUEUED, (-1 if limit is None else limit,))]

    def count_queued(self) -> int:
        """How many are queued."""
        return self.db.rows("SELECT count(*) FROM run WHERE status = 'queued'")[0][0]

    def parents_of_waiting(self) -> list[ParentRow]:
        """The runs that those which wait come after."""
        return [ParentRow._make(row) for row in self.db.tuples(_PARENTS)]

    def rows_at_work(self, run_ids: Sequence[str]) -> list[AtWorkRow]:
        """These runs, which have a worker."""
        ids = json_text(list(run_ids))
        return [AtWorkRow._make(row) for row in self.db.tuples(_AT_WORK, (ids,))]

    def recipes_of(self, run_ids: Sequence[str]) -> dict[str, str]:
        """The recipe of each of these runs, by id."""
        sql = "SELECT id, recipe FROM run WHERE id IN (SELECT value FROM json_each(?))"
        return dict(self.db.tuples(sql, (json_text(list(run_ids)),)))
