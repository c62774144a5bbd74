"""Schedules and windows in a real daemon, which is killed around the time that it should fire."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from kitchen_core.store import Store
from kitchen_core.telemetry.schema import EventKind
from kitchen_daemon.client import Refused
from kitchen_daemon.launching.shelf import shipped_folder
from kitchen_daemon.models import Launch, NewSchedule, NewWindow
from tests.kitchen_daemon.support import QUICK, Daemon, running_daemon

SOON = {"before the kill": "in 2s", "at the kill": "in 2.4s", "after the kill": "in 3s"}
LAUNCH = Launch(recipe="sl_basic", overrides=QUICK, hold=True)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One that is killed and started again."""
    with running_daemon(tmp_path_factory.mktemp("scheduling") / "kitchen") as running:
        yield running


def fired(daemon: Daemon, *names: str) -> list[dict[str, object]]:
    """What the store says of the firings of these schedules, once there is one of each."""
    deadline = time.monotonic() + 60
    with Store.open(daemon.home.root, migrate=False) as store:
        while True:
            events = store.read_events(kinds=[EventKind.SCHEDULE_FIRED])
            told = [event.metadata for event in events if event.metadata["name"] in names]
            if {each["name"] for each in told} == {*names}:
                return told
            assert time.monotonic() < deadline, daemon.home.daemon_log.read_text()
            threading.Event().wait(0.02)  # nobody tells of another process's commit


def test_a_schedule_fires_once_though_the_daemon_is_killed_around_its_time(
    daemon: Daemon,
) -> None:
    def add(name: str, when: str) -> float:
        new = NewSchedule(name=name, launch=LAUNCH, when=when)
        next_at = daemon.client.add_schedule(new).next_at
        assert next_at is not None
        return next_at

    due = {name: add(name, when) for name, when in SOON.items()}
    threading.Event().wait(max(0.0, due["at the kill"] - time.time()))
    daemon.kill()
    daemon.start()
    told = fired(daemon, *due)
    runs = daemon.client.runs()
    assert sorted(run.name or "" for run in runs) == sorted(due)
    assert {each["run"] for each in told} == {run.id for run in runs}
    assert len(told) == len(due)
    for done in daemon.client.schedules():
        assert (done.next_at, done.last_at, done.last_error) == (None, due[done.name], None)
        daemon.client.remove_schedule(done.name)
    for run in runs:
        daemon.client.cancel(run.id)


def test_schedules_and_windows_are_kept_shown_and_removed(daemon: Daemon) -> None:
    client = daemon.client
    window = client.put_window(NewWindow(name="never now", hours=_not_now(), timezone="UTC"))
    assert not window.is_open
    launch = LAUNCH.model_copy(update={"window": "never now", "hold": False})
    added = client.add_schedule(NewSchedule(name="nightly", launch=launch, when="every 6h"))
    with pytest.raises(Refused, match="there is a schedule 'nightly' already") as refused:
        client.add_schedule(NewSchedule(name="nightly", launch=launch, when="every 6h"))
    assert refused.value.status == 409
    for when, message in (("soon", "is no time"), ("today 00:00", "has passed")):
        with pytest.raises(Refused, match=message) as refused:
            client.add_schedule(NewSchedule(name="other", launch=launch, when=when))
        assert refused.value.status == 422
    typo = launch.model_copy(update={"overrides": {"max_stepz": 1}})
    with pytest.raises(Refused, match="max_stepz"):
        client.add_schedule(NewSchedule(name="other", launch=typo, when="22:00"))

    recipe = daemon.home.recipes / "mine.py"
    recipe.parent.mkdir(exist_ok=True)
    recipe.write_text((shipped_folder() / "sl_basic.py").read_text())
    mine = LAUNCH.model_copy(update={"recipe": str(recipe)})
    client.add_schedule(NewSchedule(name="mine", launch=mine, when="22:00"))
    recipe.write_text("recipe = 1 / 0\n")
    by_the_good_one = client.fire_schedule("mine")
    assert by_the_good_one.schedule_id == client.schedule("mine").id
    (told,) = fired(daemon, "mine")
    assert told["revision"] == by_the_good_one.recipe_revision
    assert "division by zero" in str(told["broken"])
    client.remove_schedule("mine")

    assert not client.enable_schedule("nightly", False).enabled
    again = client.enable_schedule("nightly", True)
    assert (again.enabled, again.next_at) == (True, added.next_at)
    run = client.fire_schedule("nightly")
    assert (run.window, run.schedule_id) == ("never now", added.id)
    assert client.schedule("nightly").last_run == run.id
    (shown,) = client.windows()
    assert shown.runs == [run.id]

    night = client.night("in 7h")
    planned = {each.id or each.schedule: each for each in night.runs}
    assert set(planned) == {run.id, by_the_good_one.id, "nightly"}
    assert planned[run.id].code == "window_closed" or planned[run.id].stretches
    with pytest.raises(Refused, match="7 days ahead at most"):
        client.night("in 8d")

    with pytest.raises(Refused, match=f"wanted by run {run.id}, schedule nightly"):
        client.remove_window("never now")
    client.remove_window("never now", force=True)
    assert client.windows() == []
    client.remove_schedule("nightly")
    assert client.schedules() == []
    with pytest.raises(Refused, match="there is no schedule 'nightly'") as refused:
        client.schedule("nightly")
    assert refused.value.status == 404


def _not_now() -> str:
    """An hour that is half a day away."""
    hour = (time.gmtime().tm_hour + 12) % 23
    return f"{hour:02d}:00-{hour + 1:02d}:00"
