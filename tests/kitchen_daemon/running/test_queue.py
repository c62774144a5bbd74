"""The queue of a real daemon, with real workers and real signals: whatever it does to a run, the bytes are the same."""

import os
import signal
from contextlib import contextmanager

import pytest

from kitchen_core.store import Store
from kitchen_core.telemetry.schema import PausedFor
from kitchen_daemon.client import Refused
from kitchen_daemon.models import Launch
from tests.kitchen_daemon.support import (
    QUICK,
    final_sha256,
    happened,
    reached_step,
    running_daemon,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("two") / "kitchen"


@pytest.fixture(scope="module")
def of_the_module(home):
    with running_daemon(home, cpu_slots=2) as running:
        yield running


@pytest.fixture
def two(of_the_module):
    """A daemon that lets two runs go at a time. What a test that fails leaves in its queue is not the next one's."""
    yield of_the_module
    client = of_the_module.client
    client.resume_queue()
    for run in client.runs():
        if not run.status.is_final:
            client.cancel(run.id)


@pytest.fixture(scope="module")
def undisturbed(of_the_module):
    """The hash of what the run makes that nobody disturbs."""
    return final_sha256(of_the_module.completed(launch(of_the_module).id))


def launch(daemon, **asked):
    overrides = QUICK | asked.pop("overrides", {})
    return daemon.client.launch(Launch(recipe="sl_basic", overrides=overrides, **asked))


@contextmanager
def standing_still(daemon, *runs):
    """Workers that do nothing for a block: their runs are still where they were when what is said in it is heard."""
    workers = [daemon.stop_worker(run.id) for run in runs]
    try:
        yield
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def kinds(daemon, run_id):
    told = daemon.client.events(run_id)
    return [e.kind for e in told if e.kind in ("run.paused", "run.interrupted", "run.queued")]


def test_two_runs_go_at_a_time_and_a_third_waits(two, undisturbed):
    runs = [launch(two, name=name) for name in ("one", "two", "three")]
    two.until(runs[0].id, reached_step(1))
    two.until(runs[1].id, reached_step(1))
    with standing_still(two, *runs[:2]):
        queue, third = two.client.queue(), two.client.run(runs[2].id)
    assert {run.name for run in queue.running} == {"one", "two"}
    assert [run.placement.slots for run in queue.running] == [1, 1]
    (waiting,) = queue.waiting
    assert (waiting.name, waiting.code, waiting.place) == ("three", "device", 1)
    assert waiting.reason
    assert (third.status, third.code, third.reason) == ("queued", "device", waiting.reason)
    assert [final_sha256(two.completed(run.id)) for run in runs] == [undisturbed] * 3


def test_the_order_is_changed_by_hand(two):
    two.client.pause_queue()
    a, b, c, d = [launch(two, name=name, overrides={"max_steps": 1}) for name in "abcd"]
    assert {run.code for run in (a, b, c, d)} == {"queue_paused"}  # whoever launches is told
    assert {run.code for run in two.client.queue().waiting} == {"queue_paused"}
    two.client.move(d.id, "first")
    two.client.move(a.id, "after", c.id)
    assert two.client.hold(b.id).code == "held"
    assert [run.name for run in two.client.queue().waiting] == ["d", "b", "c", "a"]
    assert two.client.change(c.id, priority=3).priority == 3
    queue = two.client.queue(limit=2)
    assert ([run.name for run in queue.waiting], queue.waiting_count) == (["c", "d"], 4)
    released = two.client.release(b.id)
    assert (released.status, released.code) in [("queued", None), ("queued", "queue_paused")]
    with pytest.raises(Refused, match="nobody holds run"):
        two.client.release(b.id)
    with pytest.raises(Refused, match="there is no group 'nigth'"):
        two.client.pause_queue(group="nigth")
    assert not two.client.resume_queue().is_paused
    for run in (a, b, c, d):
        two.completed(run.id)
    with pytest.raises(Refused, match="is completed, and only one that waits can be held"):
        two.client.hold(a.id)


def test_a_group_runs_one_after_the_other(two):
    two.client.set_group("night", 1)
    first = launch(two, group="night", overrides={"max_steps": 20})
    second = launch(two, group="night", overrides={"max_steps": 1})
    two.until(first.id, reached_step(1))
    with standing_still(two, first):
        assert two.client.run(second.id).code == "group_full"
        (night,) = [group for group in two.client.queue().groups if group.name == "night"]
    assert (night.most_running, night.running, night.waiting) == (1, 1, 1)
    two.completed(second.id)
    assert two.client.run(first.id).status == "completed"


def test_a_pause_of_the_queue_ends_with_the_same_bytes(two, undisturbed):
    run = launch(two)
    two.until(run.id, reached_step(15))
    with standing_still(two, run):
        assert two.client.pause_queue().is_paused
    paused = two.until(run.id, happened("run.paused"))[-1].event
    assert paused.metadata["paused_for"] == "queue"
    shown = two.client.run(run.id)
    assert (shown.status, shown.paused_for) == ("paused", "queue")
    two.client.resume_queue()
    done = two.completed(run.id)
    assert (final_sha256(done), done.attempt, done.paused_for) == (undisturbed, 2, None)


def test_one_of_higher_priority_sets_another_aside_and_both_end_with_the_same_bytes(
    two, undisturbed
):
    low = [launch(two) for _ in range(2)]
    for run in low:
        two.until(run.id, reached_step(10))
    with standing_still(two, *low):
        urgent = launch(two, priority=10, preempt=True)
    done = two.completed(urgent.id)
    set_aside = [run for run in low if "run.paused" in kinds(two, run.id)]
    assert len(set_aside) == 1
    shas = {final_sha256(two.completed(run.id)) for run in low} | {final_sha256(done)}
    assert shas == {undisturbed}


def test_a_killed_run_goes_on_by_itself_to_the_same_bytes(two, undisturbed):
    run = launch(two, retries=1)
    two.until(run.id, reached_step(25))
    os.kill(two.worker_of(run.id), signal.SIGKILL)
    done = two.completed(run.id)
    assert (final_sha256(done), done.attempt, done.retries) == (undisturbed, 2, 1)
    assert kinds(two, run.id) == ["run.queued", "run.interrupted", "run.queued"]
    retried = [e for e in two.client.events(run.id) if e.kind == "run.queued"][-1]
    assert "SIGKILL; goes on from step" in retried.metadata["reason"]
    assert retried.metadata["reason"].endswith("retry 1 of 1")


def test_a_launch_says_when_it_may_run(two):
    at = two.client.launch(Launch(recipe="sl_basic", overrides=QUICK, at="in 2h"))
    held = two.client.launch(Launch(recipe="sl_basic", overrides=QUICK, hold=True))
    after = launch(two, after_any=[held.id])
    assert (held.status, after.status) == ("held", "held")
    assert two.client.queue().waiting_count == 3
    assert two.client.run(at.id).code == "not_before"
    assert two.client.run(held.id).code == "held"
    assert held.id in (after.reason or "")
    for message, asked in {
        "there is no window 'nigth'": {"window": "nigth"},
        "'\\*' means every group": {"group": "*"},
        "'soon' is no time": {"at": "soon"},
    }.items():
        with pytest.raises(Refused, match=message):
            launch(two, **asked)
    for run in (after, held, at):
        two.client.cancel(run.id)


def test_runs_come_in_portions_and_the_status_names_the_first(two, monkeypatch):
    every = two.client.runs()
    monkeypatch.setattr("kitchen_daemon.client.runs.MOST_RUNS", 2)
    assert [run.id for run in two.client.runs()] == [run.id for run in every]
    portions = list(two.client.runs_in_portions(limit=3))
    assert [[run.id for run in portion] for portion in portions] == [
        [run.id for run in every[:2]],
        [every[2].id],
    ]
    two.client.pause_queue()
    waiting = [launch(two, name=f"w{i}").id for i in range(22)]
    status = two.client.status()
    assert (status.queued, status.queued_count) == (waiting[:20], 22)
    for run_id in waiting:
        two.client.cancel(run_id)
    two.client.resume_queue()


def test_whatever_was_said_before_the_daemon_was_killed_holds_when_it_is_back(two, undisturbed):
    asked, killed = launch(two), launch(two, retries=1)
    for run in (asked, killed):
        two.until(run.id, reached_step(15))
    workers = {run.id: two.stop_worker(run.id) for run in (asked, killed)}
    two.client.pause_queue(let_finish=True)
    two.kill()
    os.kill(workers[killed.id], signal.SIGKILL)
    with Store.open(two.home.root) as store:  # as a daemon that dies before it has told the worker
        assert store.set_aside(asked.id, PausedFor.PREEMPTION)
    two.start()
    two.until(asked.id, happened("run.paused"))
    queue = two.client.queue()
    assert queue.is_paused
    assert two.client.run(killed.id).code == "queue_paused"
    assert kinds(two, killed.id) == ["run.queued", "run.interrupted", "run.queued"]
    two.client.resume_queue()
    for run in (asked, killed):
        done = two.completed(run.id)
        assert (final_sha256(done), done.attempt) == (undisturbed, 2)
    assert two.client.run(killed.id).retries == 1
