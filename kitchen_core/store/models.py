"""Registered models: versions counted by name, and aliases that move."""

from __future__ import annotations

import sqlite3
import time

from kitchen_core.store import events
from kitchen_core.store.database import Database
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import ModelVersionRecord, decoded

LATEST = "latest"
"""The alias that always means the newest version."""

_VERSIONS = """
SELECT *, (
  SELECT json_group_array(alias) FROM model_alias
  WHERE model_alias.name = model_version.name AND model_alias.version = model_version.version
) AS aliases FROM model_version
"""
# A version holds its content by an artifact row of its own, so that pruning its run can't take it away.
_HOLD_CONTENT = """
INSERT INTO artifact (run_id, name, kind, sha256, size_bytes, path, created_at)
SELECT NULL, ?, kind, sha256, size_bytes, path, ? FROM artifact
WHERE sha256 = ? AND removed_at IS NULL LIMIT 1
"""


class Models:
    """The store's model registry."""

    db: Database

    def register(
        self,
        name: str,
        artifact_sha256: str,
        run_id: str | None = None,
        alias: str | None = None,
        attempt: int | None = None,
    ) -> int:
        """Add a version that points to stored content, durably; returns its number, counted from 1.

        The same content of the same run is registered once, so a resumed run may ask again.
        attempt: the one that asks, if it is a run's. Raises NotFound, StaleAttempt.
        """
        with self.db.write(durable=True) as connection:
            if run_id is not None:
                events.check_current(connection, run_id, attempt)
            version = _known_version(connection, name, artifact_sha256, run_id)
            if version is None:
                version = _new_version(connection, name, artifact_sha256, run_id)
            if alias is not None:
                _point(connection, name, alias, version)
            return version

    def promote(self, name: str, version: int, alias: str) -> None:
        """Let an alias point to a version, and to no other any more. Raises NotFound."""
        self.resolve(name, version)
        with self.db.write(durable=True) as connection:
            _point(connection, name, alias, version)

    def resolve(self, name: str, version: int | str = LATEST) -> ModelVersionRecord:
        """A version by number (also as text) or alias; `latest` is the newest. Raises NotFound."""
        versions = self.list_models(name)
        if not versions:
            raise NotFound("model", name)
        if version == LATEST:
            return versions[0]
        for found in versions:
            if str(version) in (str(found.version), *found.aliases):
                return found
        known = [text for found in versions for text in (str(found.version), *found.aliases)]
        raise NotFound("model version", f"{name}@{version}", [f"{name}@{text}" for text in known])

    def list_models(self, name: str | None = None) -> list[ModelVersionRecord]:
        """Versions by name, the newest first."""
        sql = f"{_VERSIONS} WHERE ?1 IS NULL OR name = ?1 ORDER BY name, version DESC"
        rows = self.db.rows(sql, (name,))
        return [ModelVersionRecord.model_validate(decoded(row, "aliases")) for row in rows]


def _known_version(
    connection: sqlite3.Connection, name: str, sha256: str, run_id: str | None
) -> int | None:
    row = connection.execute(
        "SELECT version FROM model_version WHERE name = ? AND artifact_sha256 = ? AND run_id IS ?",
        (name, sha256, run_id),
    ).fetchone()
    return None if row is None else row["version"]


def _new_version(connection: sqlite3.Connection, name: str, sha256: str, run_id: str | None) -> int:
    now = time.time()
    newest = connection.execute("SELECT max(version) FROM model_version WHERE name = ?", (name,))
    version = (newest.fetchone()[0] or 0) + 1
    if not connection.execute(_HOLD_CONTENT, (f"{name}@{version}", now, sha256)).rowcount:
        raise NotFound("artifact", sha256)
    connection.execute(
        "INSERT INTO model (name, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, now)
    )
    connection.execute(
        "INSERT INTO model_version (name, version, artifact_sha256, run_id, created_at) "
        "VALUES (?, ?, ?, ?, ?)",
        (name, version, sha256, run_id, now),
    )
    return version


def _point(connection: sqlite3.Connection, name: str, alias: str, version: int) -> None:
    if alias == LATEST or alias.isdecimal():
        raise ValueError(f"{alias!r} can't be an alias: it already means a version")
    connection.execute(
        "INSERT INTO model_alias (name, alias, version) VALUES (?, ?, ?) "
        "ON CONFLICT (name, alias) DO UPDATE SET version = excluded.version",
        (name, alias, version),
    )
