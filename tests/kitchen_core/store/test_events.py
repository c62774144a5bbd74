"""The event log is gapless and in order, whoever writes it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kitchen_core.store import NotFound, RunWriter, Store
from kitchen_core.telemetry.ports import MetricRow, StaleAttempt
from kitchen_core.telemetry.schema import EventKind, NewEvent
from tests.kitchen_core.store.support import (
    finish,
    next_attempt,
    note,
    passing_store,
    python,
    start,
)

WRITE_EVENTS = """
import sys
from pathlib import Path
from kitchen_core.store import Store
from kitchen_core.telemetry.schema import EventKind, NewEvent
home, run_id, attempt, who = sys.argv[1:]
with Store.open(Path(home), migrate=False) as store:
    for turn in range(50):
        pair = [NewEvent(kind=EventKind.LOG, at=0, metadata={"who": who, "turn": 2 * turn + half}) for half in (0, 1)]
        store.append_events(run_id, pair, int(attempt))
"""


class EventLog(RuleBasedStateMachine):
    """Two runs, attempts that replace each other, the daemon: the log is what a list would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = passing_store()
        self.store = self.opened.__enter__()
        self.writers = [start(self.store, "a"), start(self.store, "b")]
        self.expected = {
            writer.run_id: [event.kind for event in self.store.read_events(run_id=writer.run_id)]
            for writer in self.writers
        }

    @rule(which=st.integers(0, 1), count=st.integers(0, 4))
    def append(self, which: int, count: int) -> None:
        writer = self.writers[which]
        writer.append([note(str(index)) for index in range(count)])
        self.expected[writer.run_id] += [EventKind.LOG] * count

    @rule(which=st.integers(0, 1))
    def replace(self, which: int) -> None:
        old = self.writers[which]
        self.writers[which] = RunWriter(
            self.store, old.run_id, next_attempt(self.store, old.run_id)
        )
        with pytest.raises(StaleAttempt):
            old.append([note("too late")])

    @rule(which=st.integers(0, 1))
    def fail_halfway(self, which: int) -> None:
        class NotText:
            """What no JSON can be made of."""

        unfit = NewEvent(kind=EventKind.LOG, at=0, metadata={"value": NotText()})
        with pytest.raises(ValueError, match="serialize"):
            self.writers[which].append([note("rolled back"), unfit])

    @rule()
    def daemon_speaks(self) -> None:
        self.store.append_events(None, [NewEvent(kind=EventKind.DAEMON_STARTED, at=0)])

    @invariant()
    def every_log_is_gapless(self) -> None:
        for run_id, kinds in self.expected.items():
            events = self.store.read_events(run_id=run_id)
            assert [event.seq for event in events] == list(range(1, len(kinds) + 1))
            assert [event.kind for event in events] == kinds

    @invariant()
    def ids_ascend_store_wide(self) -> None:
        ids = [event.id for event in self.store.read_events()]
        assert ids == sorted(set(ids))

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)


EventLog.TestCase.settings = settings(max_examples=15, stateful_step_count=15)
TestEventLog = EventLog.TestCase


def assert_in_order(store: Store, run_id: str, writers: list[str], turns: int) -> None:
    events = store.read_events(run_id=run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for who in writers:
        told = [event.metadata["turn"] for event in events if event.metadata.get("who") == who]
        assert told == list(range(turns))


def test_processes_that_write_one_run_leave_no_gap(store: Store, writer: RunWriter) -> None:
    names = ["a", "b", "c"]
    processes = [
        python(WRITE_EVENTS, store.home, writer.run_id, writer.attempt, who) for who in names
    ]
    for process in processes:
        finish(process)
    assert_in_order(store, writer.run_id, names, turns=100)


def test_threads_that_share_a_store_leave_no_gap(store: Store, writer: RunWriter) -> None:
    def write(who: str) -> None:
        for turn in range(50):
            metadata = {"who": who, "turn": turn}
            writer.append([NewEvent(kind=EventKind.LOG, at=0, metadata=metadata)])

    names = ["a", "b", "c", "d"]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(write, names))
    assert_in_order(store, writer.run_id, names, turns=50)


def test_append_returns_what_a_reader_will_see(store: Store, writer: RunWriter) -> None:
    event = NewEvent(
        kind=EventKind.EVAL_COMPLETED,
        at=12.5,
        stage="Evaluate",
        step=7,
        measurements={"accuracy": 0.5},
        metadata={"nested": {"list": [1, None, "é"]}},
    )
    kept = store.append_events(writer.run_id, [event, note("x")], writer.attempt)
    assert kept == store.read_events(after_id=kept[0].id - 1)
    assert (kept[0].attempt, kept[0].seq, kept[0].stage, kept[0].step) == (1, 3, "Evaluate", 7)


def test_a_reader_goes_on_from_its_cursor(store: Store) -> None:
    one, other = start(store, "one"), start(store, "other")
    one.append([note("1")])
    other.append([note("2")])
    store.append_events(None, [NewEvent(kind=EventKind.DAEMON_STARTED, at=0)])
    one.append([note("3")])
    everything = store.read_events()
    for index, event in enumerate(everything):
        assert store.read_events(after_id=event.id) == everything[index + 1 :]
    mine = store.read_events(run_id=one.run_id)
    assert store.read_events(run_id=one.run_id, after_seq=2) == mine[2:]
    assert store.read_events(run_id=one.run_id, limit=1) == mine[:1]
    assert store.read_events(kinds=[EventKind.DAEMON_STARTED])[0].seq is None
    assert store.last_event(one.run_id, EventKind.LOG) == mine[-1]
    assert store.last_event(one.run_id, EventKind.RUN_FAILED) is None


def test_an_event_knows_which_metrics_came_before_it(store: Store, writer: RunWriter) -> None:
    writer.write_metrics([MetricRow("loss", step, 1.0) for step in range(1, 4)])
    writer.append([note("between")])
    writer.write_metrics([MetricRow("loss", 3, 2.0)])
    writer.append([note("after")])
    marks = [event.metric_mark for event in store.read_events(run_id=writer.run_id)]
    before = [point.step for point in store.read_points() if point.id <= marks[-2]]
    assert before == [1, 2], "step 3 was written again after the event"
    assert marks == sorted(marks)
    assert marks[-1] == store.read_points()[-1].id


def test_numbers_that_json_lacks_become_null(store: Store, writer: RunWriter) -> None:
    metadata = {"nested": [math.inf, -math.inf, 1.0]}
    writer.append(
        [NewEvent(kind=EventKind.LOG, at=0, measurements={"x": math.nan}, metadata=metadata)]
    )
    event = store.read_events()[-1]
    assert event.measurements == {"x": None}
    assert event.metadata == {"nested": [None, None, 1.0]}


def test_an_event_of_an_unknown_run_is_refused(store: Store) -> None:
    with pytest.raises(NotFound, match="no run 'nobody'"):
        store.append_events("nobody", [note("x")])


def test_data_version_sees_every_commit_and_only_commits(store: Store, writer: RunWriter) -> None:
    before = store.data_version()
    store.read_events()
    assert store.data_version() == before
    writer.append([note("mine")])
    after_own = store.data_version()
    assert after_own != before
    finish(python(WRITE_EVENTS, store.home, writer.run_id, writer.attempt, "a"))
    assert store.data_version() != after_own
