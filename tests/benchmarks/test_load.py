"""The load benchmark at a size for a test: it ends, counts every event, and sees what is lost."""

import json

import pytest

from benchmarks.load import filling, report
from benchmarks.load.following import Followed
from benchmarks.load.report import Spread
from benchmarks.load.writing import Written
from kitchen_core.home import Home
from kitchen_core.store import NewRun, RunWriter, Store
from kitchen_core.telemetry.schema import EventKind, NewEvent, RunStatus


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("home"))
    home.make()
    with Store.open(home.root) as store:
        runs = filling.fill(home, store, finished=8, queued=3, writing=2)
        yield store, runs


def test_a_filled_store_reads_as_one_that_was_lived_in(filled):
    store, runs = filled
    assert store.queued_ids()[:2] == runs
    past = [run for run in store.list_runs() if run.finished_at and run.attempt]
    assert len(past) == 8
    with_results = [run for run in past if store.last_values(run.id)]
    assert len(with_results) == 2
    for run in with_results:
        assert store.last_values(run.id) == dict.fromkeys(filling.SERIES, 1.0)
        points = store.read_points(run_id=run.id)
        assert len(points) == len(filling.SERIES) * filling.POINTS
        assert {point.run_id for point in points} == {run.id}
    kinds = [event.kind for event in store.read_events(run_id=past[0].id)]
    assert kinds == ["run.created", "run.queued", "run.running", f"run.{past[0].status}"]


@pytest.fixture
def logged(tmp_path):
    with Store.open(tmp_path / "home") as store:
        run = store.create_run(NewRun(name="r", recipe="r", workflow="w"))
        writer = RunWriter(store, run.id, store.begin_attempt(run.id, 1, 0.0, "", ""))
        for step in range(3):
            writer.append([NewEvent(kind=EventKind.LOG, at=0.0, step=step)])
        writer.set_status(RunStatus.RUNNING)
        yield store, Written(run.id, 3, 1.0, 0.0)


@pytest.mark.parametrize(
    ("seqs", "lost"),
    [
        ([3, 4, 5, 6], 0),
        ([1, 2, 3, 4, 5, 6], 0),
        ([3, 4, 6], 1),
        ([3, 4, 4, 5, 6], 1),
        ([4, 3, 5, 6], 1),
    ],
)
def test_what_a_follower_lacks_or_has_twice_is_told(logged, seqs, lost):
    store, written = logged
    follower = Followed(None, {written.run_id: seqs})
    assert len(report._lost(store, [written], [follower])) == lost


def test_a_follower_that_was_told_nothing_of_a_run_has_lost_it(logged):
    store, written = logged
    assert len(report._lost(store, [written], [Followed(None)])) == 1
    assert report._lost(store, [written], [Followed("another")]) == []


def test_what_the_store_lacks_is_told(logged):
    store, written = logged
    assert len(report._lost(store, [written._replace(events=4)], [])) == 1


def test_percentiles_are_times_that_were_measured():
    assert Spread.of([i / 1000 for i in range(200, 0, -1)]) == Spread(200, 100, 190, 198, 200)
    assert Spread.of([0.004]) == Spread(1, 4, 4, 4, 4)


def test_an_outcome_is_json(logged, capsys):
    spread = Spread(1, 1, 1, 1, 1)
    report.show(
        report.Outcome({"queue": spread}, spread, 1, 1.0, 1.0, [], [], {}, 0.5), as_json=True
    )
    assert json.loads(capsys.readouterr().out)["calls"]["queue"]["p99"] == 1
