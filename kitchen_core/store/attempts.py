"""Attempts: which process has a run, and since when nobody else may write it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from kitchen_core.needs import Placement
from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.migration import schema_version
from kitchen_core.store.records import AttemptRecord, decoded, insert_sql, json_text
from kitchen_core.store.runs import StatusChange, change_status
from kitchen_core.telemetry.schema import RunStatus

NOWHERE = Placement()


class Attempts:
    """The store's attempts."""

    db: Database

    def begin_attempt(
        self,
        run_id: str,
        pid: int,
        pid_started_at: float,
        boot_id: str,
        log_path: Path | str,
        placement: Placement = NOWHERE,
    ) -> int:
        """Give the run to a process, durably, with its place; returns the attempt's number, counted from 1.

        From this commit on nothing is taken from any older attempt. Raises NotFound.
        """
        version = schema_version(self.db.path)
        with self.db.write(durable=True) as connection:
            row = connection.execute(
                "UPDATE run SET attempt = attempt + 1 WHERE id = ? RETURNING attempt", (run_id,)
            ).fetchone()
            if row is None:
                raise NotFound("run", run_id)
            values = {
                "run_id": run_id,
                "number": row["attempt"],
                "pid": pid,
                "pid_started_at": pid_started_at,
                "boot_id": boot_id,
                "log_path": str(log_path),
                "started_at": time.time(),
                "schema_version": version,
                "placement": placement.model_dump_json(),
            }
            connection.execute(insert_sql("attempt", values), values)
            return row["attempt"]

    def end_attempt(
        self,
        run_id: str,
        number: int,
        exit_code: int | None,
        then: Sequence[StatusChange] = (),
    ) -> None:
        """Note that the process is gone; exit_code None where nobody saw it. It can write nothing more.

        then: what becomes of its run, in the same durable commit. A run that it had not begun was asked nothing.
        """
        with self.db.write(durable=True) as connection:
            connection.execute(
                "UPDATE attempt SET ended_at = ?, exit_code = ? "
                "WHERE run_id = ? AND number = ? AND ended_at IS NULL",
                (time.time(), exit_code, run_id, number),
            )
            for change in then:
                change_status(connection, run_id, change)
            connection.execute(
                "UPDATE run SET intent = NULL, paused_for = NULL "
                "WHERE id = ? AND attempt = ? AND status = ? AND intent IS NOT NULL",
                (run_id, number, RunStatus.QUEUED),
            )

    def attempts(self, run_id: str) -> list[AttemptRecord]:
        """A run's attempts, first to last."""
        return self._attempts("run_id = ? ORDER BY number", run_id)

    def last_placement(self, run_id: str) -> Placement | None:
        """Where a run has its place, or had it last; None before its first attempt."""
        return self.last_placements_of([run_id]).get(run_id)

    def last_placements_of(self, run_ids: Sequence[str]) -> dict[str, Placement]:
        """The same of each of these runs that has begun."""
        sql = (
            "SELECT run_id, placement FROM json_each(?) AS asked CROSS JOIN attempt ON run_id = asked.value "
            "WHERE number = (SELECT max(number) FROM attempt WHERE run_id = asked.value)"
        )
        return {
            run_id: Placement.model_validate_json(text)
            for run_id, text in self.db.tuples(sql, (json_text(run_ids),))
        }

    def open_attempts(self) -> list[AttemptRecord]:
        """Attempts that nobody has ended: live workers, and those that died unseen."""
        return self._attempts("ended_at IS NULL ORDER BY started_at")

    def ended_unseen(self, boot_id: str) -> list[AttemptRecord]:
        """Attempts of this boot that were declared over without anybody seeing the process end: it may live."""
        return self._attempts("ended_at IS NOT NULL AND exit_code IS NULL AND boot_id = ?", boot_id)

    def _attempts(self, where: str, *values: str) -> list[AttemptRecord]:
        rows = self.db.rows(f"SELECT * FROM attempt WHERE {where}", values)
        return [AttemptRecord.model_validate(decoded(row, "placement")) for row in rows]
