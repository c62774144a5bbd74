"""The run store: one SQLite file and one folder of content in a home."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from kitchen_core.store.artifacts import Artifacts
from kitchen_core.store.attempts import Attempts
from kitchen_core.store.bases import Bases
from kitchen_core.store.content import ContentStore
from kitchen_core.store.database import CACHE_KIB, PATIENCE_S, Database
from kitchen_core.store.events import Events
from kitchen_core.store.groups import Groups
from kitchen_core.store.lineage import Lineage
from kitchen_core.store.metrics import Metrics
from kitchen_core.store.migration import ensure_current
from kitchen_core.store.models import Models
from kitchen_core.store.order import Order
from kitchen_core.store.queue import Queue
from kitchen_core.store.quotes import Quotes
from kitchen_core.store.revisions import Revisions
from kitchen_core.store.runs import Runs
from kitchen_core.store.schedules import Schedules
from kitchen_core.store.waiting import Waiting
from kitchen_core.store.windows import Windows

DATABASE_NAME = "kitchen.db"


class Store(
    Runs,
    Attempts,
    Queue,
    Waiting,
    Order,
    Groups,
    Events,
    Metrics,
    Artifacts,
    Bases,
    Lineage,
    Models,
    Quotes,
    Revisions,
    Schedules,
    Windows,
):
    """Everything the kitchen remembers. Synchronous, and safe to share between threads and processes.

    Each topic is a module of its own; this class is where they meet.
    """

    def __init__(
        self, home: Path, patience_s: float = PATIENCE_S, cache_kib: int = CACHE_KIB
    ) -> None:
        self.home = home
        self.db = Database(home / DATABASE_NAME, patience_s, cache_kib)
        self.content = ContentStore(home)
        self._series_ids = {}

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        migrate: bool = True,
        patience_s: float = PATIENCE_S,
        cache_kib: int = CACHE_KIB,
    ) -> Self:
        """Open a home's store, making or migrating it where that is needed.

        A worker passes migrate=False: it takes the store as it is or not at all. patience_s: how long a write waits for
        another process's. cache_kib: what each thread may keep of the file. Raises SchemaTooNew, MigrationBlocked,
        and without `migrate` StoreMissing or SchemaTooOld.
        """
        home = home.absolute()
        if migrate:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
        ensure_current(home / DATABASE_NAME, migrate=migrate)
        return cls(home, patience_s, cache_kib)

    def data_version(self) -> int:
        """A number that changes whenever anybody commits to the store: ask often, read when it differs."""
        return self.db.data_version()

    def close(self) -> None:
        """Let go of the file. Nothing is lost by not calling it."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
