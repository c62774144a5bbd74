"""Windows: hours in which runs may run. What their hours mean, the daemon works out."""

from __future__ import annotations

import difflib
import time

from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound, StillWanted
from kitchen_core.store.records import AtClose, WindowRecord, insert_sql
from kitchen_core.telemetry.schema import RunStatus

_OF_RUNS = f"""
SELECT id FROM run WHERE "window" = ? AND status NOT IN
({", ".join(f"'{status.value}'" for status in RunStatus if status.is_final)})
ORDER BY created_at, id
"""
_OF_SCHEDULES = (
    "SELECT name FROM schedule WHERE json_extract(payload, '$.window') = ? ORDER BY name"
)


class Windows:
    """The store's windows."""

    db: Database

    def put_window(self, name: str, hours: str, timezone: str, at_close: AtClose) -> WindowRecord:
        """Keep a window, in place of the one of that name if there is one, durably."""
        window = WindowRecord(
            name=name, hours=hours, timezone=timezone, at_close=at_close, created_at=time.time()
        )
        sql = (
            insert_sql("window", window.model_dump())
            + " ON CONFLICT (name) DO UPDATE SET hours = excluded.hours,"
            " timezone = excluded.timezone, at_close = excluded.at_close"
        )
        with self.db.write(durable=True) as connection:
            connection.execute(sql, window.model_dump())
        return self.get_window(name)

    def get_window(self, name: str) -> WindowRecord:
        """The window of that name. Raises NotFound."""
        row = self.db.row("SELECT * FROM window WHERE name = ?", (name,))
        if row is None:
            names = [window.name for window in self.list_windows()]
            raise NotFound("window", name, difflib.get_close_matches(name, names))
        return WindowRecord.model_validate(dict(row))

    def list_windows(self) -> list[WindowRecord]:
        """Every window, by name."""
        rows = self.db.rows("SELECT * FROM window ORDER BY name")
        return [WindowRecord.model_validate(dict(row)) for row in rows]

    def runs_of_window(self, name: str) -> list[str]:
        """The ids of the runs that wait for a window or run in it, oldest first."""
        return [row["id"] for row in self.db.rows(_OF_RUNS, (name,))]

    def remove_window(self, name: str, *, force: bool = False) -> None:
        """Forget a window. Raises NotFound, and StillWanted while runs or schedules name it, unless `force`."""
        self.get_window(name)
        with self.db.write(durable=True) as connection:
            runs = [f"run {row['id']}" for row in connection.execute(_OF_RUNS, (name,))]
            schedules = [
                f"schedule {row['name']}" for row in connection.execute(_OF_SCHEDULES, (name,))
            ]
            if (runs or schedules) and not force:
                raise StillWanted("window", name, [*runs, *schedules])
            connection.execute("DELETE FROM window WHERE name = ?", (name,))
