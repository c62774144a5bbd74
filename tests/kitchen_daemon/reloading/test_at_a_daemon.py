"""Reloading as clients of a daemon see it."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, Queue
from threading import Thread

import pytest

from kitchen_core.telemetry.schema import Event, EventKind
from kitchen_daemon.client import Client, Refused
from kitchen_daemon.models import FROM_NOW, Launch
from tests.kitchen_daemon.reloading.conftest import recipe


def saved(daemon, text: str, name: str, source: str | None = None):
    """Save a recipe, and wait for the event that says what has become of it."""
    stream = daemon.client.stream(cursor=daemon_now(daemon))
    (daemon.home.recipes / f"{name}.py").write_text(source or recipe(text, name))
    for item in stream:
        if item.event and item.event.metadata.get("recipe") == name:
            return item.event
    raise AssertionError("the stream ended")


def daemon_now(daemon) -> str:
    """The cursor of the newest event: so that a save right after it is seen, however long a stream takes to begin."""
    run = daemon.client.launch(Launch(recipe="sl_basic", hold=True, overrides={"max_steps": 1}))
    daemon.client.cancel(run.id)
    for item in daemon.client.stream(run.id):
        return item.cursor
    raise AssertionError("the stream ended")


def test_a_queued_run_keeps_the_revision_that_it_was_submitted_with(daemon):
    first = saved(daemon, "first", "kept")
    waits_for = daemon.launch(max_steps=100000)
    queued = daemon.client.launch(Launch(recipe="kept", after=[waits_for.id]))
    second = saved(daemon, "second", "kept")
    assert first.kind is second.kind is EventKind.RECIPE_REVISED
    assert second.metadata["previous"] == first.metadata["sha256"] == queued.recipe_revision
    later = daemon.client.launch(Launch(recipe="kept", after=[waits_for.id]))
    assert later.recipe_revision == second.metadata["sha256"]
    assert daemon.client.run(queued.id).recipe_revision == first.metadata["sha256"]
    for run in (later, queued, waits_for):
        daemon.client.cancel(run.id)
    daemon.settled(waits_for.id)


def test_a_launch_right_after_a_save_takes_what_was_saved(daemon):
    file = daemon.home.recipes / "racing.py"
    for number in range(5):
        file.write_text(recipe(f"number {number}", "racing"))
        plan = daemon.client.plan(Launch(recipe="racing"))
        assert plan.description == f"number {number}"


def test_a_broken_recipe_is_refused_with_the_version_that_still_runs(daemon):
    good = saved(daemon, "good", "breaks").metadata["sha256"]
    broken = saved(daemon, "", "breaks", "def f(:\nrecipe = 1")
    assert (broken.kind, broken.metadata["good"]) == (EventKind.RECIPE_BROKEN, good)
    (listed,) = [each for each in daemon.client.recipes() if each.name == "breaks"]
    assert (listed.error, listed.revision) == (broken.metadata["error"], good)
    with pytest.raises(Refused, match=r"breaks\.py:1: syntax error") as refused:
        daemon.client.plan(Launch(recipe="breaks"))
    assert refused.value.hint.endswith("still runs: kitchen run breaks --revision good")
    for which in ("good", good, good[:10]):
        assert daemon.client.plan(Launch(recipe="breaks", revision=which)).recipe_revision == good
    assert daemon.client.recipe("breaks", "good").revisions[0].sha256 == good
    with pytest.raises(Refused, match="no revision of recipe breaks that begins with 'abc'"):
        daemon.client.plan(Launch(recipe="breaks", revision="abc"))


def test_a_stream_from_now_on_leaves_out_what_has_been(daemon):
    saved(daemon, "then", "streamed")
    came: Queue[Event] = Queue()

    def follow() -> None:
        with Client(daemon.home) as client:
            for item in client.stream(cursor=FROM_NOW):
                if item.event and item.event.metadata.get("recipe") == "streamed":
                    came.put(item.event)
                    return

    Thread(target=follow, daemon=True).start()
    since = set()
    for number in range(100):  # the first ones may come before the stream has begun
        (daemon.home.recipes / "streamed.py").write_text(recipe(f"now {number}", "streamed"))
        since.add(daemon.client.plan(Launch(recipe="streamed")).recipe_revision)
        with suppress(Empty):
            assert came.get(timeout=0.5).metadata["sha256"] in since
            return
    raise AssertionError("nothing came")
