"""Quotes: what runs were said to take, beside what they took."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.records import (
    NewQuote,
    QuoteRecord,
    Usage,
    decoded,
    insert_sql,
    json_text,
)
from kitchen_core.telemetry.schema import RunStatus

_MEASURED = """
SELECT run.*, quote.* FROM quote JOIN run ON run.id = quote.run_id
WHERE run.status = ? AND run.workflow = ? AND quote.busy_seconds IS NOT NULL
ORDER BY run.created_at DESC, run.rowid DESC LIMIT ?
"""
_TAKE = """
UPDATE quote SET
    peak_memory_bytes = MAX(COALESCE(peak_memory_bytes, :peak), COALESCE(:peak, peak_memory_bytes)),
    busy_seconds = :busy,
    measured_seconds_a_step = COALESCE(:a_step, measured_seconds_a_step),
    used_energy_j = COALESCE(:energy, used_energy_j)
WHERE run_id = :run_id
"""


class Measured(QuoteRecord):
    """A run that has completed: its config and pins, what was said of it, and what it took."""

    config: dict[str, object]
    pins: dict[str, object]


class Quotes:
    """The store's quotes."""

    db: Database

    def quote_of(self, run_id: str) -> QuoteRecord | None:
        """A run's quote; None for one that has none."""
        return self.quotes_of([run_id]).get(run_id)

    def quotes_of(self, run_ids: Sequence[str]) -> dict[str, QuoteRecord]:
        """The quotes of these runs, of those that have one."""
        sql = "SELECT quote.* FROM json_each(?) AS asked CROSS JOIN quote ON run_id = asked.value"
        rows = self.db.rows(sql, (json_text(run_ids),))
        return {row["run_id"]: QuoteRecord.model_validate(decoded(row, "formula")) for row in rows}

    def measured_runs(self, workflow: str, limit: int) -> list[Measured]:
        """The newest completed runs of a workflow that were measured, newest first."""
        rows = self.db.rows(_MEASURED, (RunStatus.COMPLETED, workflow, limit))
        return [
            Measured.model_validate(
                {
                    name: value
                    for name, value in decoded(row, "formula", "config", "pins").items()
                    if name in Measured.model_fields
                }
            )
            for row in rows
        ]

    def record_usage(self, run_id: str, usage: Usage, attempt: int) -> None:
        """Keep what a run has taken, with what its earlier attempts had in it. Raises StaleAttempt."""
        values = {
            "run_id": run_id,
            "peak": usage.peak_memory_bytes,
            "busy": usage.busy_seconds,
            "a_step": usage.seconds_a_step,
            "energy": usage.energy_j,
        }
        with self.db.write(durable=False) as connection:
            events.check_current(connection, run_id, attempt)
            changed = connection.execute(_TAKE, values)
            if not changed.rowcount:  # queued before there were quotes
                put_quote(connection, run_id, NewQuote())
                connection.execute(_TAKE, values)


def put_quote(connection: sqlite3.Connection, run_id: str, quote: NewQuote) -> None:
    """Keep a new run's quote, in the transaction that makes the run."""
    values = quote.model_dump() | {"run_id": run_id, "formula": json_text(quote.formula)}
    connection.execute(insert_sql("quote", values), values)
