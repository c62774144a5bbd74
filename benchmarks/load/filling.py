"""A store with a long past: runs by the ten thousand, inserted in bulk.

The rows are copies of real submissions of the recipes below, so configs, wirings and pins are what a user's would be.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import Any

from kitchen_core.home import Home
from kitchen_core.needs import Needs
from kitchen_core.store import Store
from kitchen_core.store.ids import new_id
from kitchen_core.store.records import insert_sql, json_text
from kitchen_core.telemetry.schema import EventKind, RunStatus
from kitchen_core.telemetry.status import STATUS_EVENTS
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.models import Launch

RECIPES = ("sl_basic", "chat_sl", "math_rl")
SERIES = tuple(f"{group}/{name}" for group in ("train", "optim") for name in "abcd")
POINTS = 8
WITH_RESULTS = 4
"""Every how many-th finished run has metrics and artifacts."""
OUTCOMES = (RunStatus.COMPLETED,) * 8 + (RunStatus.FAILED, RunStatus.CANCELLED)
BETWEEN_RUNS_S = 240.0
A_TRANSACTION = 5_000

Row = dict[str, Any]


def fill(home: Home, store: Store, *, finished: int, queued: int, writing: int) -> list[str]:
    """Fill the store: finished runs, then queued ones, then as many queued runs of the highest priority as are to
    be written. Returns the ids of the last.
    """
    draw = random.Random(0)
    patterns = _submitted(home, store)
    count = finished + queued + writing
    begun = time.time() - count * BETWEEN_RUNS_S

    def row(place: int, changes: Callable[[float], Row]) -> Row:
        at = begun + place * BETWEEN_RUNS_S
        run = patterns[place % len(patterns)] | {"id": new_id(at), "created_at": at, "rank": at}
        return run | changes(at)

    def ended(at: float) -> Row:
        times = {"started_at": at + 1, "finished_at": at + 200, "progress_step": 100}
        return {"status": draw.choice(OUTCOMES), "attempt": 1} | times

    def waits(_: float) -> Row:
        needs = Needs(device="cuda" if draw.random() < 0.2 else "cpu", memory_bytes=2**30)
        return {"priority": draw.randrange(3), "needs": json_text(needs)}

    past = [row(place, ended) for place in range(finished)]
    waiting = [row(finished + place, waits) for place in range(queued)]
    written = [row(count - writing + place, lambda _: {"priority": 9}) for place in range(writing)]
    every = [*past, *waiting, *written]
    _insert_all(store, "run", every)
    _insert_all(store, "quote", _quotes(store, patterns, every))
    _insert_all(store, "node", map(_node, every))
    _insert_all(store, "event", _events(every))
    _give_results(store, past[::WITH_RESULTS])
    return [run["id"] for run in written]


def _submitted(home: Home, store: Store) -> list[Row]:
    """A row of each recipe as its submission leaves it; the submissions themselves are cancelled."""
    submissions = Submissions(home, store, Shelf(home))
    runs = [submissions.submit(Launch(recipe=recipe)) for recipe in RECIPES]
    rows = [dict(store.db.rows("SELECT * FROM run WHERE id = ?", (run.id,))[0]) for run in runs]
    for run in runs:
        store.transition(run.id, RunStatus.CANCELLED)
    return rows


def _quotes(store: Store, patterns: Sequence[Row], runs: Sequence[Row]) -> Iterator[Row]:
    """Each run's quote, that of the submission it is a copy of."""
    quotes = [
        dict(store.db.rows("SELECT * FROM quote WHERE run_id = ?", (pattern["id"],))[0])
        for pattern in patterns
    ]
    return ({**quote, "run_id": run["id"]} for quote, run in zip(cycle(quotes), runs, strict=False))


def _node(run: Row) -> Row:
    return {"id": f"run:{run['id']}", "kind": "run", "name": run["name"], "sha256": None}


def _events(runs: Iterable[Row]) -> Iterator[Row]:
    """How each run came to where it is: created, queued, and what followed."""
    nothing = {
        "stage": None,
        "step": None,
        "measurements": "{}",
        "metadata": "{}",
        "metric_mark": 0,
    }
    for run in runs:
        kinds = [EventKind.RUN_CREATED, EventKind.RUN_QUEUED]
        if run["finished_at"] is not None:
            kinds += [EventKind.RUN_RUNNING, STATUS_EVENTS[RunStatus(run["status"])]]
        for seq, kind in enumerate(kinds, 1):
            place = {"run_id": run["id"], "seq": seq, "attempt": None, "at": run["created_at"]}
            yield nothing | place | {"kind": kind}


def _give_results(store: Store, runs: Sequence[Row]) -> None:
    """Metrics and artifacts of runs that have neither."""
    series = [{"run_id": run["id"], "name": name} for run in runs for name in SERIES]
    _insert_all(store, "series", series)
    ids = {
        (run, name): id_
        for run, name, id_ in store.db.tuples("SELECT run_id, name, id FROM series")
    }
    _insert_all(
        store,
        "metric",
        (
            {"series_id": ids[run["id"], name], "step": step, "value": step / 7}
            for run in runs
            for name in SERIES
            for step in range(POINTS)
        ),
    )
    first = store.db.rows("SELECT coalesce(max(last_id), 0) FROM metric_span")[0][0] + 1
    width = len(SERIES) * POINTS
    spans = (
        {"run_id": run["id"], "first_id": start, "last_id": start + width - 1}
        for run, start in zip(runs, range(first, first + width * len(runs), width), strict=True)
    )
    _insert_all(store, "metric_span", spans)
    _insert_all(store, "artifact", (row for run in runs for row in _artifacts(run)))


def _artifacts(run: Row) -> Iterator[Row]:
    for name in ("checkpoint-100", "samples.jsonl", "final"):
        sha256 = hashlib.sha256(f"{run['id']}/{name}".encode()).hexdigest()
        kind = "file" if name.endswith(".jsonl") else "tree"
        place = {"run_id": run["id"], "name": name, "kind": kind, "sha256": sha256}
        path = f"artifacts/{kind}/{sha256}"
        times = {"created_at": run["finished_at"], "removed_at": None}
        yield place | {"size_bytes": 4096, "path": path, "step": 100} | times


def _insert_all(store: Store, table: str, rows: Iterable[Row]) -> None:
    """Insert rows that all have the same columns."""
    left = iter(rows)
    while chunk := list(islice(left, A_TRANSACTION)):
        with store.db.write(durable=False) as connection:
            connection.executemany(insert_sql(table, chunk[0]), chunk)
