"""What is asked of a run at the very moment at which it stops, begins, or loses its daemon."""

from __future__ import annotations

import asyncio
import subprocess
import time

import pytest

from kitchen_core.home import Home
from kitchen_core.needs import Placement
from kitchen_core.store import Store, StoreBusy
from kitchen_core.store.database import Database
from kitchen_core.telemetry.schema import PausedFor, RunStatus
from kitchen_daemon.models import WaitCode
from kitchen_daemon.process import ProcessIdentity
from kitchen_daemon.running import dispatch
from kitchen_daemon.running.asking import CantBeAsked
from kitchen_daemon.running.dispatch import Dispatcher
from tests.kitchen_core.store.support import SUBMISSION, fresh_store
from tests.kitchen_daemon.running.simulated import Kitchen, SimulatedForkServer, simulate


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Let a story happen."""

    def run(story, **kwargs):
        simulate(tmp_path / "home", monkeypatch, story, **kwargs)

    return run


async def running(kitchen: Kitchen, name: str = "a", **asked):
    """A run with a worker."""
    run = kitchen.submit(name, **asked)
    await kitchen.until(lambda: kitchen.run(name).status is RunStatus.RUNNING)
    return kitchen.store.get_run(run.id)


def pause_by_itself(kitchen: Kitchen, name: str = "a") -> None:
    """What a worker does in its own time, with the worker still there."""
    run = kitchen.run(name)
    assert kitchen.store.set_aside(run.id, PausedFor.WINDOW)
    kitchen.store.transition(run.id, RunStatus.PAUSED, expect_attempt=run.attempt)


def test_a_run_that_stops_while_it_is_being_cancelled_is_cancelled(play):
    async def story(kitchen):
        seen = await running(kitchen)
        pause_by_itself(kitchen)
        kitchen.dispatcher.asking.cancel(seen)
        assert kitchen.run("a").status is RunStatus.CANCELLED

    play(story)


def test_a_run_that_is_set_aside_while_a_user_pauses_it_stays_paused(play):
    async def story(kitchen):
        seen = await running(kitchen)
        pause_by_itself(kitchen)
        kitchen.dispatcher.asking.pause(seen)
        a = kitchen.run("a")
        assert (a.status, a.paused_for, a.intent) == (RunStatus.PAUSED, None, None)
        assert a.reason == f"go on with: kitchen resume {a.id}"

    play(story)


def test_a_run_that_is_cancelled_can_not_be_paused_instead(play):
    async def story(kitchen):
        kitchen.workers.hanging.add(kitchen.submit("a").id)
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        kitchen.dispatcher.asking.cancel(kitchen.run("a"))
        with pytest.raises(CantBeAsked, match="was cancelled, and stops"):
            kitchen.dispatcher.asking.pause(kitchen.run("a"))
        await kitchen.until_over()
        assert kitchen.run("a").status is RunStatus.CANCELLED

    play(story)


def test_a_run_that_has_stopped_while_it_was_looked_into_is_resumed(play):
    async def story(kitchen):
        seen = await running(kitchen)
        pause_by_itself(kitchen)
        await kitchen.dispatcher.asking.resume(seen, replace=True, reason="resumed")
        await kitchen.until_over()
        assert kitchen.run("a").status is RunStatus.COMPLETED

    play(story)


def test_a_store_that_is_busy_holds_everything_up_and_loses_nothing(play):
    async def story(kitchen):
        store = kitchen.store
        store.db = Database(store.db.path, patience_s=0.01)
        await running(kitchen, max_retries=1)
        with Store.open(store.home) as other, other.db.write(durable=False):
            kitchen.workers.workers[kitchen.run("a").id].kill()
            with pytest.raises(StoreBusy, match="let it go on or kill it"):
                kitchen.dispatcher.asking.cancel(kitchen.run("a"))
            await asyncio.sleep(30)
            assert kitchen.run("a").status is RunStatus.RUNNING
        kitchen.submit("b")
        await kitchen.until_over()
        assert kitchen.stretches("a")[1] == (31, 131)
        assert kitchen.run("b").status is RunStatus.COMPLETED

    play(story)


def test_workers_that_can_not_be_made_are_tried_now_and_then(play, monkeypatch):
    asked: list[float] = []
    at_s = 0.0

    async def until_ready(self: SimulatedForkServer) -> None:
        asked.append(time.time())

    monkeypatch.setattr(SimulatedForkServer, "until_ready", until_ready)
    monkeypatch.setattr(SimulatedForkServer, "is_ready", property(lambda self: at_s >= 60))

    async def story(kitchen):
        nonlocal at_s
        for name in "ab":
            kitchen.submit(name)
        await asyncio.sleep(60)
        assert 10 <= len(asked) <= 13
        why = kitchen.dispatcher.why_of(kitchen.run("a").id)
        assert why.code is WaitCode.STARTING
        assert why.text.startswith("no workers can be made; ")
        at_s = 60
        await kitchen.until_over()
        assert kitchen.dispatcher.why_of(kitchen.run("a").id) is None

    play(story, slots=2)


def test_a_worker_that_dies_before_its_run_has_begun_is_an_interruption_too(play, monkeypatch):
    async def story(kitchen):
        async def never(*_: object) -> None:
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(SimulatedForkServer, "_work", never)
            run = kitchen.submit("a", max_retries=1)
            await kitchen.until(lambda: run.id in kitchen.workers.workers)
        kitchen.workers.workers[run.id].kill()
        await kitchen.until_over()
        a = kitchen.run("a")
        assert (a.status, a.attempt, a.retries) == (RunStatus.COMPLETED, 2, 1)
        kinds = [kind for _, kind, _ in kitchen.history()]
        assert kinds == ["queued", "interrupted", "queued", "running", "completed"]

    play(story)


@pytest.fixture
def hung():
    """A process that takes no SIGTERM."""
    code = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_replaced_worker_outlives_its_daemon_but_not_its_grace(tmp_path, monkeypatch, hung):
    """The daemon is killed between taking its run from a worker and killing it."""
    monkeypatch.setattr(dispatch, "KILL_AFTER_S", 0.2)
    home = Home(tmp_path / "home")
    identity = ProcessIdentity.of(hung.pid)
    place = Placement(slots=2)
    with fresh_store(home.root) as store:
        run = store.create_run(SUBMISSION)
        number = store.begin_attempt(
            run.id, identity.pid, identity.started_at, identity.boot_id, "/log", place
        )
        store.end_attempt(run.id, number, None)

        async def adopt() -> None:
            dispatcher = Dispatcher(home, store)
            dispatcher.adopt()
            assert [member.placement for member in dispatcher.crew.replaced] == [place]
            await asyncio.to_thread(hung.wait)

        asyncio.run(asyncio.wait_for(adopt(), 10))
    assert hung.returncode == -9
