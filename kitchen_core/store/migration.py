"""Bringing a store's file to the schema that this program knows.

Alembic does the work and is imported only when there is work: opening a store that is up to date reads one row.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from kitchen_core.store.errors import (
    MigrationBlocked,
    SchemaTooNew,
    SchemaTooOld,
    StoreMissing,
)

SCRIPTS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 10.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def known_version(scripts: Path = SCRIPTS) -> int:
    """The newest schema version that this program has a migration for."""
    return max(int(script.name[:4]) for script in (scripts / "versions").glob("[0-9]*.py"))


def schema_version(path: Path) -> int:
    """The schema version of a store's file; 0 where there is no file or nothing in it."""
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        return _version_in(connection)


def ensure_current(path: Path, *, migrate: bool = True, scripts: Path = SCRIPTS) -> None:
    """Leave the file at the known version, migrating it first where that is allowed and needed.

    Raises SchemaTooNew, MigrationBlocked, and without `migrate` StoreMissing or SchemaTooOld.
    """
    if _needs_migration(path, scripts):
        if not migrate:
            if not path.exists():
                raise StoreMissing(path)
            raise SchemaTooOld(path, schema_version(path), known_version(scripts))
        _migrate(path, scripts)


def _needs_migration(path: Path, scripts: Path) -> bool:
    found, known = schema_version(path), known_version(scripts)
    if found > known:
        raise SchemaTooNew(path, found, known)
    return found < known


def _migrate(path: Path, scripts: Path) -> None:
    with _only_one(path.with_suffix(".lock")):
        if not _needs_migration(path, scripts):
            return  # another process did it while this one waited
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
            # WAL stays with the file; switching to it must not meet a second opener, hence here.
            connection.execute("PRAGMA journal_mode = WAL")
            live = _live_runs(connection)
        _upgrade(path, scripts, live)


def _upgrade(path: Path, scripts: Path, live: list[str]) -> None:
    """Run what is pending in one transaction, so that a killed migration leaves no trace."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    blocking = _not_additive(config, schema_version(path)) if live else []
    if blocking:
        raise MigrationBlocked(blocking, live)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _not_additive(config: Any, current: int) -> list[str]:
    from alembic.script import ScriptDirectory

    base = f"{current:04d}" if current else "base"
    pending = ScriptDirectory.from_config(config).iterate_revisions("head", base)
    return [script.revision for script in pending if not script.module.ADDITIVE]


def _live_runs(connection: sqlite3.Connection) -> list[str]:
    """Runs whose worker is alive, whatever the daemon has had time to settle."""
    if _version_in(connection) == 0:
        return []
    boot_id = _BOOT_ID.read_text().strip()
    attempts = connection.execute(
        "SELECT run_id, pid, started_at FROM attempt WHERE ended_at IS NULL AND boot_id = ?",
        (boot_id,),
    )
    return sorted(run_id for run_id, pid, begun in attempts if _is_alive(pid, begun))


def _is_alive(pid: int, begun: float) -> bool:
    """Whether the process that had this pid when the attempt began is still there."""
    try:
        return psutil.Process(pid).create_time() <= begun
    except psutil.NoSuchProcess:
        return False


def _version_in(connection: sqlite3.Connection) -> int:
    tables = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.execute(tables).fetchone() is None:
        return 0
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Wait until no other process holds the lock, then hold it."""
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
