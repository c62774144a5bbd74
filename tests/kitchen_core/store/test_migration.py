"""A store is brought to the schema that the program knows, once, whole, and never under a live worker."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from kitchen_core.store import (
    MigrationBlocked,
    SchemaTooNew,
    SchemaTooOld,
    Store,
    StoreMissing,
)
from kitchen_core.store.migration import SCRIPTS, ensure_current, known_version, schema_version
from kitchen_core.store.tables import Table
from tests.kitchen_core.store.support import SUBMISSION, finish, python

OPEN = """
import sys
from pathlib import Path
from kitchen_core.store import NewRun, Store
sys.stdin.readline()
with Store.open(Path(sys.argv[1])) as store:
    store.create_run(NewRun(name="n", recipe="r", workflow="w"))
print("alembic" in sys.modules, "sqlmodel" in sys.modules)
"""

NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{revision}", "{before}"
ADDITIVE = {additive}
def upgrade():
    op.create_table("later", sa.Column("id", sa.Integer(), primary_key=True))
    {then}
"""


NOW = known_version()
NEXT = NOW + 1


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def scripts_with_next(folder: Path, *, additive: bool, then: str = "") -> Path:
    """The migrations as they are and one more."""
    scripts = shutil.copytree(SCRIPTS, folder / "migrations")
    names = {"revision": f"{NEXT:04d}", "before": f"{NOW:04d}"}
    text = NEXT_REVISION.format(additive=additive, then=then, **names)
    (scripts / f"versions/{NEXT:04d}_later.py").write_text(text)
    return scripts


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def begin_attempt(home: Path, pid: int, boot_id: str) -> tuple[Path, str]:
    with Store.open(home) as store:
        run_id = store.create_run(SUBMISSION).id
        store.begin_attempt(run_id, pid, 0.0, boot_id, "/log")
        return store.db.path, run_id


def this_boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_the_migrations_lead_to_the_tables(home: Path) -> None:
    Store.open(home).close()
    engine = create_engine(f"sqlite:///{home / 'kitchen.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()
    assert schema_version(home / "kitchen.db") == known_version()


def test_an_empty_file_becomes_a_store(home: Path) -> None:
    home.mkdir()
    (home / "kitchen.db").touch()
    assert schema_version(home / "kitchen.db") == 0
    with Store.open(home) as store:
        assert store.list_runs() == []


def test_processes_that_open_a_new_home_at_once_share_it(home: Path) -> None:
    processes = [python(OPEN, home) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        finish(process)
    with Store.open(home) as store:
        assert len({run.id for run in store.list_runs()}) == 4


def test_opening_an_up_to_date_store_loads_no_migration_tool(home: Path) -> None:
    Store.open(home).close()
    process = python(OPEN, home)
    assert process.communicate("go\n")[0].split() == ["False", "False"]


def test_a_newer_store_is_refused(home: Path) -> None:
    with Store.open(home) as store:
        store.db.connection().execute("UPDATE alembic_version SET version_num = '0099'")
    for migrate in (True, False):
        with pytest.raises(SchemaTooNew, match=rf"has schema version 99.*knows only up to {NOW}"):
            Store.open(home, migrate=migrate)


def test_a_worker_takes_the_store_as_it_is_or_not_at_all(home: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreMissing, match=r"no run store at .*kitchen up"):
        Store.open(home, migrate=False)
    assert not home.exists()
    Store.open(home).close()
    scripts = scripts_with_next(tmp_path, additive=True)
    with pytest.raises(SchemaTooOld, match=rf"has schema version {NOW}.*needs {NEXT}"):
        ensure_current(home / "kitchen.db", migrate=False, scripts=scripts)


def test_an_additive_migration_does_not_wait_for_workers(home: Path, tmp_path: Path) -> None:
    path, _ = begin_attempt(home, os.getpid(), this_boot())
    ensure_current(path, scripts=scripts_with_next(tmp_path, additive=True))
    assert schema_version(path) == NEXT
    assert "later" in tables(path)


def test_another_one_waits_and_says_for_whom(home: Path, tmp_path: Path) -> None:
    path, run_id = begin_attempt(home, os.getpid(), this_boot())
    scripts = scripts_with_next(tmp_path, additive=False)
    with pytest.raises(MigrationBlocked, match=rf"{NEXT:04d} changes tables.*runs {run_id}.*wait"):
        ensure_current(path, scripts=scripts)
    assert schema_version(path) == NOW
    with Store.open(home) as store:
        store.end_attempt(run_id, 1, exit_code=0)
    ensure_current(path, scripts=scripts)
    assert schema_version(path) == NEXT


@pytest.mark.parametrize("gone", ["no such process", "another boot", "another process"])
def test_a_worker_that_died_unseen_blocks_nothing(home: Path, tmp_path: Path, gone: str) -> None:
    pid = max(psutil.pids()) + 100_000 if gone == "no such process" else os.getpid()
    path, _ = begin_attempt(home, pid, "long ago" if gone == "another boot" else this_boot())
    if gone == "another process":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE attempt SET started_at = 1.0")
            connection.commit()
    ensure_current(path, scripts=scripts_with_next(tmp_path, additive=False))
    assert schema_version(path) == NEXT


def test_a_migration_that_fails_leaves_no_trace(home: Path, tmp_path: Path) -> None:
    path, _ = begin_attempt(home, 1, "long ago")
    scripts = scripts_with_next(tmp_path, additive=False, then='op.drop_table("missing")')
    with pytest.raises(Exception, match="no such table: missing"):
        ensure_current(path, scripts=scripts)
    assert schema_version(path) == NOW
    assert "later" not in tables(path)
    with Store.open(home) as store:
        assert len(store.list_runs()) == 1
