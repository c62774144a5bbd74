"""The connection to SQLite: one a thread, and one way to write.

Every statement of the store is plain SQL over `sqlite3`. The tables are declared with SQLModel in `tables`, and Alembic
compares its migrations with them; queries do without both, because a run's change, its event and
its artifact have to be one transaction, and because metrics pass 40 times faster than as objects.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kitchen_core.store.errors import StoreBusy, StoreFull, StoreMissing

Parameters = Sequence[Any] | Mapping[str, Any]

PATIENCE_S = 10.0

# Together these raise the rate at which metrics are written by half, against SQLite's 2 MiB and 1,000.
CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 10_000

# What SQLite says when the file system takes no more: SQLITE_FULL for a full disk, the other two
# for a quota, a file size limit and a full disk met while growing the shared-memory file.
_FULL_CODES = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)


class Connection(sqlite3.Connection):
    """One thread's connection. It knows whether its commits reach the disk."""

    durable = False

    def set_durable(self, durable: bool) -> None:
        """Make later commits wait for the disk, or not. Not allowed inside a transaction."""
        if durable != self.durable:
            self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.durable = durable


class Database:
    """The store's SQLite file, which must exist. Safe to share between threads.

    patience_s: how long to wait for another process's write before StoreBusy is raised. cache_kib: what each
    thread's connection may keep of the file.
    """

    def __init__(
        self, path: Path, patience_s: float = PATIENCE_S, cache_kib: int = CACHE_KIB
    ) -> None:
        if not path.is_file():
            raise StoreMissing(path)
        self.path = path
        self._patience_s = patience_s
        self._cache_kib = cache_kib
        self._local = threading.local()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._watching = threading.Lock()
        self._watcher: Connection | None = None

    def connection(self) -> Connection:
        """This thread's connection, opened at the first call."""
        found: Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connect()
        return found

    @contextmanager
    def write(self, *, durable: bool) -> Iterator[Connection]:
        """One transaction, begun as the only writer; rolled back if the body raises.

        A durable commit waits for the disk (synchronous=FULL); the others survive the death of
        the process but not a power cut. Raises StoreFull when the disk takes no more, and StoreBusy
        when another process has written for longer than this one has patience.
        """
        connection = self.connection()
        try:
            connection.set_durable(durable)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in _FULL_CODES:
                raise StoreFull(self.path.parent, error) from error
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise StoreBusy(self.path, self._patience_s) from error
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let this thread's reads see one moment of the store."""
        connection = self.connection()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self.connection().execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a query, if there is one."""
        return self.connection().execute(sql, parameters).fetchone()

    def tuples(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query as bare tuples, for long results."""
        cursor = self.connection().cursor()
        cursor.row_factory = None
        return cursor.execute(sql, parameters)

    def data_version(self) -> int:
        """A number that changes whenever anybody, this process included, commits to the file."""
        with self._watching:
            if self._watcher is None:
                # SQLite leaves out a connection's own commits, so this one only watches.
                self._watcher = self._connect()
            return self._watcher.execute("PRAGMA data_version").fetchone()[0]

    def close(self) -> None:
        """Close the connections of every thread."""
        for connection in list(self._open):
            connection.close()

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self._patience_s,
            isolation_level=None,  # transactions begin and end where `write` says
            check_same_thread=False,  # so that `close` can close them all
            factory=Connection,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{self._cache_kib}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        self._open.add(connection)
        return connection
