"""What the store has taken it keeps; what it could not take leaves no trace."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kitchen_core.store import RunWriter, Store, StoreFull
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import RunStatus
from tests.kitchen_core.store.support import contents, finish, note, python, read_line

DIE_IN_TRANSACTION = """
import sys
from pathlib import Path
from kitchen_core.store import Store, events
from kitchen_core.telemetry.schema import EventKind, NewEvent
home, run_id = sys.argv[1:]
store = Store.open(Path(home), migrate=False)
with store.db.write(durable=True) as connection:
    connection.execute("PRAGMA cache_size = 1")  # so that pages reach the file before the commit
    batch = [NewEvent(kind=EventKind.LOG, at=0, metadata={"pad": "x" * 4000}) for _ in range(500)]
    events.append(connection, run_id, batch, None)
    print("written", flush=True)
    sys.stdin.read()
"""

WRITE_UNTIL_KILLED = """
import itertools, sys
from pathlib import Path
from kitchen_core.store import RunWriter, Store
from kitchen_core.telemetry.ports import MetricRow
from kitchen_core.telemetry.schema import EventKind, NewEvent
home, run_id, attempt = sys.argv[1:]
log = RunWriter(Store.open(Path(home), migrate=False), run_id, int(attempt))
for turn in itertools.count(1):
    log.append([NewEvent(kind=EventKind.LOG, at=0, step=turn)])
    log.write_metrics([MetricRow(name, turn, 1.0) for name in "abc"])
    print(turn, flush=True)
"""

STORE_BEYOND_A_LIMIT = """
import resource, signal, sys
from pathlib import Path
from kitchen_core.store import Store, StoreFull
from kitchen_core.telemetry.schema import EventKind, NewEvent
home, source = map(Path, sys.argv[1:])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store.open(home, migrate=False)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    if source.is_file():
        store.put_file(source, "big")
    elif source.is_dir():
        store.put_tree(source, "big")
    else:
        store.append_events(None, [NewEvent(kind=EventKind.LOG, at=0, metadata={"pad": "x" * 300_000})])
except StoreFull as error:
    print(error)
"""


def integrity(store: Store) -> str:
    return store.db.rows("PRAGMA integrity_check")[0][0]


def test_a_writer_killed_inside_a_transaction_leaves_the_store_whole(
    store: Store, writer: RunWriter
) -> None:
    before = contents(store)
    process = python(DIE_IN_TRANSACTION, store.home, writer.run_id)
    assert read_line(process) == "written"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert contents(store) == before
    assert integrity(store) == "ok"
    writer.append([note("goes on")])
    assert store.read_events()[-1].seq == 3


@pytest.mark.parametrize("turns", [1, 40, 333])
def test_what_a_killed_writer_was_told_is_kept_stays(
    store: Store, writer: RunWriter, turns: int
) -> None:
    process = python(WRITE_UNTIL_KILLED, store.home, writer.run_id, writer.attempt)
    told = [int(read_line(process)) for _ in range(turns)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert integrity(store) == "ok"
    events = store.read_events(run_id=writer.run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    steps = [event.step for event in events if event.step is not None]
    assert steps[: len(told)] == told
    series = store.series(writer.run_id)
    assert len({len(points) for points in series.values()}) == 1, "a batch is whole or not there"
    assert len(series["a"]) >= len(told)


def test_durable_commits_wait_for_the_disk_and_others_do_not(store: Store) -> None:
    synchronous = "PRAGMA synchronous"
    for durable, level in [(False, 1), (True, 2), (True, 2), (False, 1)]:
        with store.db.write(durable=durable) as connection:
            assert connection.execute(synchronous).fetchone()[0] == level
    assert store.db.rows("PRAGMA journal_mode")[0][0] == "wal"
    assert store.db.rows("PRAGMA foreign_keys")[0][0] == 1


@pytest.mark.parametrize("kind", ["events", "metrics", "status"])
def test_a_full_disk_is_said_plainly_and_tears_nothing(
    store: Store, writer: RunWriter, kind: str
) -> None:
    def write() -> None:
        if kind == "events":
            writer.append([note("x" * 1000)] * 500)
        elif kind == "metrics":
            writer.write_metrics([MetricRow("loss", step, 1.0) for step in range(50_000)])
        else:
            writer.set_status(RunStatus.RUNNING, reason="x" * 500_000)

    before = contents(store)
    pages = store.db.rows("PRAGMA page_count")[0][0]
    store.db.connection().execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull, match="full or over its quota") as full:
        write()
    assert str(store.home) in str(full.value)
    assert "free some space" in str(full.value)
    assert contents(store) == before
    store.db.connection().execute(f"PRAGMA max_page_count = {pages + 10_000}")
    write()
    assert integrity(store) == "ok"


@pytest.mark.parametrize("kind", ["file", "tree"])
def test_content_that_does_not_fit_leaves_nothing_behind(
    store: Store, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / "source"
    if kind == "tree":
        source.mkdir()
    big = source / "weights" if kind == "tree" else source
    big.write_bytes(b"0" * 300_000)
    assert "full or over its quota" in finish(python(STORE_BEYOND_A_LIMIT, store.home, source))
    assert [path for path in (store.home / "artifacts").rglob("*") if path.is_file()] == []
    assert big.stat().st_size == 300_000
    assert store.db.rows("SELECT * FROM artifact") == []


def test_a_quota_met_by_the_database_is_said_as_plainly(store: Store) -> None:
    before = contents(store)
    said = finish(python(STORE_BEYOND_A_LIMIT, store.home, store.home / "no source"))
    assert "full or over its quota" in said
    assert contents(store) == before
