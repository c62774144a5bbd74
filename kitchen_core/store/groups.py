"""Groups of the queue: how many of one may run at a time, and whether it is paused. `*` is every group."""

from __future__ import annotations

import difflib

from kitchen_core.store.database import Connection, Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import EVERY_GROUP, GroupRecord, decoded
from kitchen_core.telemetry.schema import Intent, PausedFor, RunStatus

_ADD = (
    "INSERT INTO queue_group (name, most_running, is_paused) VALUES (?, NULL, 0) "
    "ON CONFLICT (name) DO NOTHING"
)
_IN_USE = """
SELECT DISTINCT queue_group FROM run WHERE status NOT IN ('completed', 'failed', 'cancelled')
UNION SELECT name FROM queue_group
"""
_ASK_TO_PAUSE = f"""
UPDATE run SET intent = '{Intent.PAUSE}', paused_for = '{PausedFor.QUEUE}'
WHERE intent IS NULL AND status IN ('{RunStatus.QUEUED}', '{RunStatus.RUNNING}')
  AND (? IN ('{EVERY_GROUP}', queue_group))
  AND id IN (SELECT run_id FROM attempt WHERE ended_at IS NULL)
RETURNING id
"""


class Groups:
    """The store's groups. Every change is durable."""

    db: Database

    def groups(self) -> list[GroupRecord]:
        """Those of which something holds."""
        rows = self.db.rows("SELECT * FROM queue_group ORDER BY name")
        return [GroupRecord.model_validate(decoded(row)) for row in rows]

    def limit_group(self, name: str, most_running: int | None) -> None:
        """Let so many runs of a group have a worker at a time; None: as many as fit. It need not exist."""
        with self.db.write(durable=True) as connection:
            connection.execute(_ADD, (name,))
            connection.execute(
                "UPDATE queue_group SET most_running = ? WHERE name = ?", (most_running, name)
            )

    def pause_group(self, name: str, *, let_finish: bool) -> list[str]:
        """Start nothing more of a group, and ask its runs that have a worker to pause unless `let_finish`; which
        ones were asked. Raises NotFound for a group that has no run and of which nothing holds.
        """
        with self.db.write(durable=True) as connection:
            self._check_group(connection, name)
            connection.execute(_ADD, (name,))
            connection.execute("UPDATE queue_group SET is_paused = 1 WHERE name = ?", (name,))
            if let_finish:
                return []
            return [row["id"] for row in connection.execute(_ASK_TO_PAUSE, (name,)).fetchall()]

    def resume_group(self, name: str) -> None:
        """Let a group's runs start again. Raises NotFound."""
        with self.db.write(durable=True) as connection:
            self._check_group(connection, name)
            connection.execute("UPDATE queue_group SET is_paused = 0 WHERE name = ?", (name,))

    def _check_group(self, connection: Connection, name: str) -> None:
        known = [row[0] for row in connection.execute(_IN_USE)]
        if name not in (*known, EVERY_GROUP):
            raise NotFound("group", name, difflib.get_close_matches(name, known, n=3))
