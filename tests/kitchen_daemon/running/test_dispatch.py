"""The dispatcher on simulated workers and a clock that jumps: who runs when, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kitchen_core.needs import Needs
from kitchen_core.store import StoreError
from kitchen_core.telemetry.schema import Intent, PausedFor, RunStatus
from kitchen_daemon.models import RunChange, WaitCode
from kitchen_daemon.queue_views import queue_info
from kitchen_daemon.queueing.states import WindowState
from kitchen_daemon.running.asking import PAUSE_WITHIN_S, CantBeAsked
from kitchen_daemon.running.dispatch import LOOK_EVERY_S
from tests.kitchen_daemon.running.simulated import EVENING, Kitchen, simulate


def open_at(*spans: tuple[float, float]) -> Callable[[float], WindowState]:
    """A window by the times at which it opens and closes, in seconds of the simulation."""

    def window(now: float) -> WindowState:
        is_open = any(opens <= now - EVENING < closes for opens, closes in spans)
        changes = [EVENING + edge for span in spans for edge in span if EVENING + edge > now]
        return WindowState(is_open, min(changes, default=None))

    return window


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Let a story happen."""

    def run(story, **kwargs):
        simulate(tmp_path / "home", monkeypatch, story, **kwargs)

    return run


def shown(kitchen: Kitchen, group: str | None = None):
    return queue_info(kitchen.store, kitchen.dispatcher, group, 50)


def begun(kitchen: Kitchen, name: str) -> int:
    """How often a run has begun to run."""
    return sum(told[:2] == (name, "running") for told in kitchen.history())


def test_as_many_run_at_a_time_as_there_are_slots(play):
    async def story(kitchen):
        for name in "abcde":
            kitchen.submit(name)
        await kitchen.until_over()
        assert [kitchen.stretches(name) for name in "abcde"] == [
            [(0, 100)],
            [(0, 100)],
            [(100, 200)],
            [(100, 200)],
            [(200, 300)],
        ]

    play(story, slots=2)


def test_a_worker_is_given_its_place_and_sees_no_gpu(play):
    async def story(kitchen):
        kitchen.submit("a", needs=Needs(threads=3))
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        (lease,) = kitchen.workers.leases
        assert (lease.devices, lease.memory_bytes) == ("", None)
        (attempt,) = kitchen.store.open_attempts()
        assert attempt.placement.slots == 3
        (running,) = shown(kitchen).running
        assert (running.name, running.placement, running.leaving) == ("a", attempt.placement, None)

    play(story, slots=4)


def test_who_waits_is_told_why_and_in_which_order(play):
    async def story(kitchen):
        kitchen.submit("a")
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        kitchen.submit("b")
        kitchen.submit("c")
        kitchen.submit("urgent", priority=5)
        kitchen.submit("large", needs=Needs(memory_bytes=2**40))
        kitchen.submit("later", not_before=EVENING + 1000)
        await kitchen.dispatcher.caught_up()
        waiting = shown(kitchen).waiting
        assert [(each.place, each.name) for each in waiting] == list(
            enumerate(["urgent", "b", "c", "large", "later"], 1)
        )
        codes = {each.name: each.code for each in waiting}
        assert codes["urgent"] is WaitCode.DEVICE
        assert codes["large"] is WaitCode.TOO_LARGE
        assert codes["later"] is WaitCode.NOT_BEFORE
        assert all(each.reason for each in waiting)
        kitchen.dispatcher.asking.cancel(kitchen.run("large"))
        await kitchen.until_over()
        assert kitchen.stretches("later") == [(1000, 1100)]

    play(story)


def test_a_run_that_comes_after_another_is_held_until_that_has_ended(play):
    async def story(kitchen):
        parent = kitchen.submit("parent")
        kitchen.submit("child", after=[parent.id])
        kitchen.submit("any", after_any=[parent.id])
        await kitchen.until(lambda: kitchen.run("child").status is RunStatus.HELD)
        assert kitchen.run("child").reason == f"after parent {parent.id}"
        kitchen.dispatcher.asking.cancel(kitchen.run("parent"))
        await kitchen.until(lambda: kitchen.run("any").status is RunStatus.COMPLETED)
        child = kitchen.run("child")
        assert (child.status, kitchen.dispatcher.why_of(child.id).code) == (
            RunStatus.HELD,
            WaitCode.AFTER_LOST,
        )
        (told,) = [e for e in kitchen.store.read_events(run_id=child.id) if e.metadata.get("lost")]
        assert told.metadata["lost"] == [parent.id]

    play(story)


def test_a_window_that_closes_sets_a_run_aside_until_it_opens(play):
    async def story(kitchen):
        kitchen.windows["night"] = open_at((0, 60), (500, 1000))
        kitchen.submit("a", window="night")
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.PAUSED)
        paused = kitchen.run("a")
        assert paused.paused_for is PausedFor.WINDOW
        await kitchen.dispatcher.caught_up()
        assert kitchen.dispatcher.why_of(paused.id).code is WaitCode.WINDOW_CLOSED
        await kitchen.until_over()
        assert kitchen.stretches("a") == [(0, 60), (500, 540)]
        done = kitchen.run("a")
        assert (done.paused_for, done.retries) == (None, 0)

    play(story)


def test_who_comes_after_a_paused_run_is_told_that_it_goes_on(play):
    async def story(kitchen):
        kitchen.windows["night"] = open_at((0, 60), (500, 1000))
        parent = kitchen.submit("parent", window="night")
        child = kitchen.submit("child", after=[parent.id])
        await kitchen.until(lambda: kitchen.run("parent").status is RunStatus.PAUSED)
        await kitchen.until(lambda: "paused" in kitchen.run("child").reason)
        await kitchen.until(lambda: kitchen.run("parent").status is RunStatus.RUNNING)
        await kitchen.until(lambda: kitchen.run("child").reason == f"after parent {parent.id}", 5)
        assert kitchen.dispatcher.why_of(child.id).text == f"after parent {parent.id}"

    play(story)


def test_a_run_of_higher_priority_may_set_others_aside(play):
    async def story(kitchen):
        kitchen.submit("low")
        await kitchen.until(lambda: kitchen.run("low").status is RunStatus.RUNNING)
        kitchen.submit("polite", priority=5)
        kitchen.submit("urgent", priority=9, preempts=True)
        await kitchen.until_over()
        order = [name for name, kind, _ in kitchen.history() if kind == "completed"]
        assert order == ["urgent", "polite", "low"]
        (first, second) = kitchen.stretches("low")
        assert (first[1] - first[0]) + (second[1] - second[0]) in (100, 101)

    play(story)


def test_one_that_hangs_when_it_is_set_aside_is_killed_and_comes_back(play):
    async def story(kitchen):
        kitchen.workers.hanging.add(kitchen.submit("low").id)
        await kitchen.until(lambda: kitchen.run("low").status is RunStatus.RUNNING)
        kitchen.submit("urgent", priority=9, preempts=True)
        await kitchen.until(lambda: kitchen.run("low").intent is Intent.PAUSE)
        kitchen.workers.hanging.clear()
        await kitchen.until_over()
        (hung, again) = kitchen.stretches("low")
        assert PAUSE_WITHIN_S <= hung[1] - hung[0] <= PAUSE_WITHIN_S + 5
        assert again[1] - again[0] == 100
        kinds = [kind for name, kind, _ in kitchen.history() if name == "low"]
        assert kinds == ["queued", "running", "interrupted", "queued", "running", "completed"]
        assert kitchen.run("low").retries == 0

    play(story)


def test_an_interrupted_run_goes_on_by_itself_as_often_as_it_may(play):
    async def story(kitchen):
        run = kitchen.submit("a", max_retries=2)
        for attempt in (1, 2, 3):
            await kitchen.until(lambda n=attempt: begun(kitchen, "a") == n)
            kitchen.workers.workers[run.id].kill()
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.INTERRUPTED)
        told = kitchen.store.read_events(run_id=run.id)
        retried = [e.metadata["reason"] for e in told if e.kind == "run.queued" and e.metadata]
        how = "the worker was killed by SIGKILL"
        begins = "it has saved no checkpoint yet, so it begins at step 0"
        assert retried == [
            f"interrupted: {how}; {begins}, retry 1 of 2",
            f"interrupted: {how}; {begins}, retry 2 of 2",
        ]
        assert kitchen.run("a").reason == (
            f"{how}, and it has gone on by itself 2 times, as often as it may; "
            f"go on with: kitchen resume {run.id}"
        )

    play(story)


def test_a_run_without_a_worker_waits_and_says_why(play):
    async def story(kitchen):
        kitchen.workers.broken = OSError("no more processes")
        run = kitchen.submit("a")
        await kitchen.until(lambda: kitchen.dispatcher.why_of(run.id) is not None)
        why = kitchen.dispatcher.why_of(run.id)
        assert (why.code, why.text) == (
            WaitCode.STARTING,
            "no worker could be made for it: no more processes; trying again",
        )
        kitchen.workers.broken = None
        await kitchen.until_over()
        assert kitchen.run("a").status is RunStatus.COMPLETED

    play(story)


def test_memory_that_another_program_lets_go_is_seen_within_seconds(play):
    async def story(kitchen):
        kitchen.machine["foreign"] = 2**34
        run = kitchen.submit("a", needs=Needs(memory_bytes=2**30))
        await kitchen.until(lambda: kitchen.dispatcher.why_of(run.id) is not None)
        assert kitchen.dispatcher.why_of(run.id).code is WaitCode.MEMORY
        await kitchen.until(lambda: kitchen.clock.time > 100)
        kitchen.machine.clear()
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        assert kitchen.clock.time < 100 + 2 * LOOK_EVERY_S

    play(story)


def test_a_group_has_its_limit_and_its_pause(play):
    async def story(kitchen):
        asking = kitchen.dispatcher.asking
        asking.limit_group("night", 1)
        for name in ("n1", "n2"):
            kitchen.submit(name, queue_group="night")
        kitchen.submit("day")
        await kitchen.until(lambda: kitchen.run("day").status is RunStatus.RUNNING)
        assert kitchen.run("n2").status is RunStatus.QUEUED
        assert kitchen.dispatcher.why_of(kitchen.run("n2").id).code is WaitCode.GROUP_FULL
        asking.pause_queue("night", let_finish=False)
        await kitchen.until(lambda: kitchen.run("n1").status is RunStatus.PAUSED)
        assert kitchen.run("n1").paused_for is PausedFor.QUEUE
        info = {group.name: group for group in shown(kitchen).groups}
        assert (info["night"].is_paused, info["night"].most_running, info["night"].waiting) == (
            True,
            1,
            2,
        )
        await kitchen.until(lambda: kitchen.run("day").status is RunStatus.COMPLETED)
        asking.resume_queue("night")
        await kitchen.until_over()
        assert kitchen.stretches("n2")[0][0] == kitchen.stretches("n1")[1][1]

    play(story, slots=4)


def test_a_pause_that_lets_finish_starts_nothing_more(play):
    async def story(kitchen):
        kitchen.submit("a")
        kitchen.submit("b")
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        kitchen.dispatcher.asking.pause_queue(None, let_finish=True)
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.COMPLETED)
        await kitchen.dispatcher.caught_up()
        assert shown(kitchen).is_paused
        assert kitchen.dispatcher.why_of(kitchen.run("b").id).code is WaitCode.QUEUE_PAUSED
        kitchen.dispatcher.asking.resume_queue(None)
        await kitchen.until_over()

    play(story)


def test_what_a_user_asks_of_a_run_wins_over_what_the_kitchen_does(play):
    async def story(kitchen):
        asking = kitchen.dispatcher.asking
        run = kitchen.submit("a")
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        asking.pause_queue(None, let_finish=False)
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.PAUSED)
        await kitchen.until(lambda: not kitchen.dispatcher.running)
        asking.pause(kitchen.run("a"))
        asking.resume_queue(None)
        await kitchen.dispatcher.caught_up()
        a = kitchen.run("a")
        assert (a.status, a.paused_for, a.reason) == (
            RunStatus.PAUSED,
            None,
            f"go on with: kitchen resume {run.id}",
        )
        await asking.resume(a, replace=False, reason="resumed")
        await kitchen.until_over()
        assert kitchen.run("a").status is RunStatus.COMPLETED

    play(story)


def test_runs_are_moved_held_and_let_go_by_hand(play):
    async def story(kitchen):
        asking = kitchen.dispatcher.asking
        for name in "abcd":
            kitchen.submit(name)
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        asking.move(kitchen.run("d"), "first", None)
        asking.hold(kitchen.run("b"))
        asking.change(kitchen.run("c"), RunChange(priority=-1))
        kitchen.submit("e")
        await kitchen.until(lambda: kitchen.run("c").status is RunStatus.RUNNING)
        assert kitchen.run("b").status is RunStatus.HELD
        asking.release(kitchen.run("b"))
        await kitchen.until_over()
        ended = [name for name, kind, _ in kitchen.history() if kind == "completed"]
        assert ended == ["a", "d", "e", "c", "b"]

    play(story)


def test_what_cant_be_asked_is_refused_in_one_line(play):
    async def story(kitchen):
        asking = kitchen.dispatcher.asking
        kitchen.submit("a")
        kitchen.submit("b")
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        a, b = kitchen.run("a"), kitchen.run("b")
        refused = {
            r"nobody holds run": lambda: asking.release(b),
            r"say which run to move it before": lambda: asking.move(b, "before", None),
            r"not both": lambda: asking.move(b, "first", "a"),
            r"can't be moved before itself": lambda: asking.move(b, "before", b.id),
            r"is running, and only one that waits can be moved; .*kitchen pause": lambda: (
                asking.move(a, "first", None)
            ),
            r"is running, and only one that waits can be moved to": lambda: asking.move(
                b, "after", "a"
            ),
            r"kitchen queue hold": lambda: asking.pause(b),
            r"means every group": lambda: asking.change(b, RunChange(group="*")),
            r"there is no group 'mian' \(did you mean main\?\)": lambda: asking.resume_queue(
                "mian"
            ),
        }
        for message, ask in refused.items():
            with pytest.raises((CantBeAsked, StoreError), match=message) as error:
                ask()
            assert "\n" not in str(error.value)

    play(story)


def test_a_replaced_worker_keeps_its_place_until_it_is_gone(play):
    async def story(kitchen):
        run = kitchen.submit("a")
        kitchen.workers.hanging.add(run.id)
        await kitchen.until(lambda: kitchen.run("a").status is RunStatus.RUNNING)
        kitchen.workers.hanging.clear()
        await kitchen.dispatcher.asking.resume(kitchen.run("a"), replace=True, reason="resumed")
        await kitchen.until_over()
        (first, second) = kitchen.stretches("a")
        assert second[0] - first[1] == 10  # killed after its grace, and only then is there room
        assert second[1] - second[0] == 100

    play(story)
