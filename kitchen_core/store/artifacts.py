"""Artifacts: names for content. Content lives as long as one live row names it.

A row is inserted in the transaction that publishes its content, and content is withdrawn in one that has seen
no live row; SQLite lets in one writer at a time, so neither can slip between the other's steps.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kitchen_core.store import events
from kitchen_core.store.content import Content, ContentKind, ContentStore
from kitchen_core.store.database import Connection, Database
from kitchen_core.store.errors import Ambiguous, NotFound
from kitchen_core.store.records import StoredArtifact, insert_sql, json_text

_LIVE = "removed_at IS NULL"
_SHORTEST = 12  # characters of a SHA-256 in a list of candidates


class Artifacts:
    """The store's artifacts."""

    db: Database
    home: Path
    content: ContentStore

    def put_file(
        self,
        source: Path,
        name: str,
        *,
        run_id: str | None = None,
        step: int | None = None,
        attempt: int | None = None,
    ) -> StoredArtifact:
        """Store a copy of a file under a name, durably.

        A run has one artifact of a name: another one takes its place. Raises NotStorable, StaleAttempt, StoreFull.
        """
        storing = self.storing("file", source, name, run_id=run_id, step=step, attempt=attempt)
        with storing as (_, stored):
            pass
        return stored

    def put_tree(
        self,
        source: Path,
        name: str,
        *,
        run_id: str | None = None,
        step: int | None = None,
        attempt: int | None = None,
        move: bool = False,
    ) -> StoredArtifact:
        """Store a folder under a name, durably; with `move` the source is gone afterwards.

        The hash sees the files, so empty folders don't count. Raises as put_file does.
        """
        storing = self.storing(
            "tree", source, name, run_id=run_id, step=step, attempt=attempt, move=move
        )
        with storing as (_, stored):
            pass
        return stored

    @contextmanager
    def storing(
        self,
        kind: ContentKind,
        source: Path,
        name: str,
        *,
        run_id: str | None,
        step: int | None,
        attempt: int | None,
        move: bool = False,
    ) -> Iterator[tuple[Connection, StoredArtifact]]:
        """A put as a durable transaction that the body may add to. Raises as the puts do."""
        with self.content.workspace() as workspace:
            content = self.content.prepare(kind, source, workspace, move=move)
            self.content.make_way(content, workspace)
            with self.db.write(durable=True) as connection:
                if run_id is not None:
                    events.check_current(connection, run_id, attempt)
                self.content.publish(content)
                values = self._columns(content) | {"run_id": run_id, "name": name, "step": step}
                yield connection, self._record(_insert(connection, values))
        self._drop_superseded(run_id, name)

    def list_artifacts(self, run_id: str, *, removed: bool = False) -> list[StoredArtifact]:
        """A run's artifacts in order of storing, the removed ones only if asked for."""
        where = "1" if removed else _LIVE
        sql = f"SELECT * FROM artifact WHERE run_id = ? AND {where} ORDER BY id"
        return [self._record(row) for row in self.db.rows(sql, (run_id,))]

    def artifacts_of(self, run_ids: Sequence[str]) -> dict[str, list[StoredArtifact]]:
        """What each of these runs has, in order of storing."""
        sql = (
            "SELECT artifact.* FROM json_each(?) AS asked CROSS JOIN artifact ON run_id = asked.value "
            f"WHERE {_LIVE} ORDER BY artifact.id"
        )
        found: dict[str, list[StoredArtifact]] = {run_id: [] for run_id in run_ids}
        for row in self.db.rows(sql, (json_text(run_ids),)):
            found[row["run_id"]].append(self._record(row))
        return found

    def get_artifact(self, run_id: str, name: str) -> StoredArtifact:
        """What a run has under a name. Raises NotFound."""
        sql = f"SELECT * FROM artifact WHERE run_id = ? AND name = ? AND {_LIVE}"
        row = self.db.row(sql, (run_id, name))
        if row is None:
            raise NotFound(f"artifact of run {run_id} named", name)
        return self._record(row)

    def find_artifact(self, sha256: str) -> StoredArtifact:
        """Stored content by its SHA-256 or a unique prefix, as it was last named. Raises NotFound, Ambiguous."""
        sql = (
            "SELECT *, max(id) FROM artifact "
            f"WHERE substr(sha256, 1, length(?1)) = lower(?1) AND {_LIVE} GROUP BY sha256"
        )
        rows = self.db.rows(sql, (sha256,)) if sha256 else []
        if not rows:
            raise NotFound("artifact", sha256)
        if len(rows) > 1:
            candidates = [f"{row['sha256'][:_SHORTEST]} ({row['name']})" for row in rows]
            raise Ambiguous("artifact", sha256, candidates)
        return self._record(rows[0])

    def remove_artifact(self, run_id: str, name: str, attempt: int | None = None) -> None:
        """Take a name from a run, and the content from the disk if nothing else names it.

        Raises NotFound, StaleAttempt.
        """
        found = self.get_artifact(run_id, name)
        with self.db.write(durable=True) as connection:
            events.check_current(connection, run_id, attempt)
            connection.execute(
                f"UPDATE artifact SET removed_at = ? WHERE run_id = ? AND name = ? AND {_LIVE}",
                (time.time(), run_id, name),
            )
        self._drop_if_unused(found.kind, found.sha256)

    def is_whole(self, artifact: StoredArtifact) -> bool:
        """Whether its content is on the disk and still what its hash says."""
        return self.content.is_whole(artifact.kind, artifact.sha256)

    def sweep_temporary(self) -> int:
        """Delete what processes that died left behind: half stored content, and content that no row names.

        Returns how many leftovers there were. What live processes are storing stays.
        """
        leftovers = self.content.sweep()
        live = {
            tuple(row) for row in self.db.rows(f"SELECT kind, sha256 FROM artifact WHERE {_LIVE}")
        }
        for kind, sha256 in self.content.places():
            if (kind, sha256) not in live:
                leftovers += self._drop_if_unused(kind, sha256)
        return leftovers

    def _drop_superseded(self, run_id: str | None, name: str) -> None:
        sql = f"SELECT DISTINCT kind, sha256 FROM artifact WHERE run_id = ? AND name = ? AND NOT {_LIVE}"
        for kind, sha256 in self.db.rows(sql, (run_id, name)):
            self._drop_if_unused(kind, sha256)

    def _drop_if_unused(self, kind: ContentKind, sha256: str) -> bool:
        """Delete content that no live row names.

        A commit of its own, after the row's: a crash in between leaves content without a name, never the reverse.
        """
        sql = f"SELECT 1 FROM artifact WHERE kind = ? AND sha256 = ? AND {_LIVE}"
        with self.content.workspace() as workspace, self.db.write(durable=False) as connection:
            if connection.execute(sql, (kind, sha256)).fetchone() is not None:
                return False
            return self.content.withdraw(kind, sha256, workspace)

    def _columns(self, content: Content) -> dict[str, Any]:
        return {
            "kind": content.kind,
            "sha256": content.sha256,
            "size_bytes": content.size_bytes,
            "path": self.content.relative_path(content.kind, content.sha256),
            "created_at": time.time(),
        }

    def _record(self, row: sqlite3.Row) -> StoredArtifact:
        values = dict(row)
        return StoredArtifact.model_validate(values | {"path": self.home / values["path"]})


def _insert(connection: sqlite3.Connection, values: dict[str, Any]) -> sqlite3.Row:
    """Insert a live row, unless this very one is there; a run's other content of that name gives way."""
    same = {"run_id": values["run_id"], "name": values["name"], "sha256": values["sha256"]}
    if values["run_id"] is not None:
        connection.execute(
            "UPDATE artifact SET removed_at = :now "
            f"WHERE run_id = :run_id AND name = :name AND sha256 != :sha256 AND {_LIVE}",
            {**same, "now": values["created_at"]},
        )
    find = f"SELECT * FROM artifact WHERE run_id IS :run_id AND name = :name AND sha256 = :sha256 AND {_LIVE}"
    found = connection.execute(find, same).fetchone()
    if found is None:
        connection.execute(insert_sql("artifact", values), values)
        found = connection.execute(find, same).fetchone()
    return found
