"""Attempts: which process has a run, and since when nobody else may write it."""

from __future__ import annotations

import time
from pathlib import Path

from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.migration import schema_version
from kitchen_core.store.records import AttemptRecord, decoded, insert_sql


class Attempts:
    """The store's attempts."""

    db: Database

    def begin_attempt(
        self, run_id: str, pid: int, pid_started_at: float, boot_id: str, log_path: Path | str
    ) -> int:
        """Give the run to a process, durably; returns the attempt's number, counted from 1.

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
            }
            connection.execute(insert_sql("attempt", values), values)
            return row["attempt"]

    def end_attempt(self, run_id: str, number: int, exit_code: int | None) -> None:
        """Note that the process is gone; exit_code None where nobody saw it. It can write nothing more."""
        with self.db.write(durable=True) as connection:
            connection.execute(
                "UPDATE attempt SET ended_at = ?, exit_code = ? "
                "WHERE run_id = ? AND number = ? AND ended_at IS NULL",
                (time.time(), exit_code, run_id, number),
            )

    def attempts(self, run_id: str) -> list[AttemptRecord]:
        """A run's attempts, first to last."""
        sql = "SELECT * FROM attempt WHERE run_id = ? ORDER BY number"
        return [
            AttemptRecord.model_validate(decoded(row, "placement"))
            for row in self.db.rows(sql, (run_id,))
        ]

    def open_attempts(self) -> list[AttemptRecord]:
        """Attempts that nobody has ended: live workers, and those that died unseen."""
        sql = "SELECT * FROM attempt WHERE ended_at IS NULL ORDER BY started_at"
        return [
            AttemptRecord.model_validate(decoded(row, "placement")) for row in self.db.rows(sql)
        ]
