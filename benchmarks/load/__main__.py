"""A home under load: `python -m benchmarks.load [--json]`.

A real daemon serves a home with 10,000 queued and 100,000 finished runs. 8 workers append 200 events a second
each, one a commit, and metrics beside them; 16 clients ask (lists, runs, the queue, the status) with half a
second of thought between two questions; 4 follow the live stream, two of them everything; one moves a waiting
run every second. All are processes of their own. The queued runs can't start, for the workers hold every CPU
slot there is, so the dispatcher decides over all of them whenever something changes.

Told are the times of calls, from asking to having the answer as models, whether each event came exactly once
and in order to the store and to every follower, and what the daemon takes. The command fails where an event was
lost.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import asking, following, writing
from benchmarks.load.filling import fill
from benchmarks.load.report import Outcome, show
from benchmarks.load.signals import Parts, parts
from benchmarks.load.watching import Watch
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_daemon.client import Client, Unreachable

START_S = 120.0
CHANGE_EVERY_S = 1.0


@dataclass(frozen=True)
class Sizes:
    """How large a load is."""

    queued: int
    finished: int
    askers: int
    followers: int
    writers: int
    rate: float
    seconds: float
    pause: float


def main() -> None:
    given = vars(_parser().parse_args())
    as_json = given.pop("json")
    sizes = Sizes(**given)
    with tempfile.TemporaryDirectory() as folder:
        outcome = measure(Home(Path(folder)), sizes)
    show(outcome, as_json=as_json)
    if outcome.lost:
        sys.exit(1)


def measure(home: Home, sizes: Sizes) -> Outcome:
    """Fill a home, put it under load and say what came of it."""
    home.make()
    home.settings.write_text(f"cpu_slots = {sizes.writers}\n")
    with Store.open(home.root) as store:
        print("filling the store", file=sys.stderr)
        runs = fill(
            home, store, finished=sizes.finished, queued=sizes.queued, writing=sizes.writers
        )
        with parts(sizes.askers + sizes.followers + sizes.writers + 1) as processes:
            return _under_load(home, store, sizes, runs, processes)


def _under_load(
    home: Home, store: Store, sizes: Sizes, runs: list[str], processes: Parts
) -> Outcome:
    writers = [processes.start(writing.write, home, run, sizes.rate, sizes.seconds) for run in runs]
    processes.await_ready()
    with _daemon(home) as daemon, Watch(daemon.pid, home.database, _wal(home)) as watch:
        cursor = _newest(store)
        followers = [
            processes.start(following.follow, home, run, set([run] if run else runs), cursor)
            for run in ([None, None, *runs] * sizes.followers)[: sizes.followers]
        ]
        askers = [
            processes.start(asking.ask, home, seed, sizes.pause) for seed in range(sizes.askers)
        ]
        askers.append(processes.start(asking.change, home, CHANGE_EVERY_S))
        processes.await_ready()
        print("measuring", file=sys.stderr)
        processes.signals.begin()
        followed = [follower.result() for follower in followers]
        processes.signals.over.set()
        calls = [call for asker in askers for call in asker.result()]
        written = [writer.result() for writer in writers]
    return Outcome.of(store, written, followed, calls, watch)


def _newest(store: Store) -> str:
    """The cursor of a stream that begins now."""
    row = store.db.rows("SELECT max(event.id), (SELECT max(id) FROM metric) FROM event")[0]
    return f"{row[0]}.{row[1] or 0}"


@contextmanager
def _daemon(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that answers, for a block."""
    with home.daemon_log.open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "kitchen_daemon.main", "--home", str(home.root)],
            stdout=log,
            stderr=log,
        )
    try:
        _await_standby(home, daemon)
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait()


def _await_standby(home: Home, daemon: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            with Client(home) as client:
                if client.status().standby_ready:
                    return
        except Unreachable:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"the daemon did not get ready: {home.daemon_log.read_text()[-2000:]}")


def _wal(home: Home) -> Path:
    return home.database.with_name(home.database.name + "-wal")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--queued", type=int, default=10_000, help="runs that wait")
    parser.add_argument("--finished", type=int, default=100_000, help="runs of the past")
    parser.add_argument("--askers", type=int, default=16, help="clients that ask")
    parser.add_argument("--followers", type=int, default=4, help="clients that follow")
    parser.add_argument("--writers", type=int, default=8, help="workers that write")
    parser.add_argument("--rate", type=float, default=200, help="events a second of each worker")
    parser.add_argument("--seconds", type=float, default=30, help="for how long workers write")
    parser.add_argument("--pause", type=float, default=0.5, help="a client's seconds of thought")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


if __name__ == "__main__":
    main()
