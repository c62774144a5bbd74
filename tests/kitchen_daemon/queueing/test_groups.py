"""Groups have so many places, and those before keep theirs."""

from __future__ import annotations

from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.deciding import decide
from kitchen_daemon.queueing.states import GroupState
from tests.kitchen_daemon.queueing.queues import (
    a_gpu,
    a_queue,
    cpu,
    gpu,
    machine,
    on_cpu,
    on_gpu,
    reasons,
    started,
    waits,
)

TWO_OF_SWEEP = {"sweep": GroupState(most_running=2)}


def test_a_group_runs_so_many_at_a_time() -> None:
    waiting = [waits(name, group="sweep") for name in "abc"] + [waits("d")]
    decision = decide(a_queue(waiting, [on_cpu("x", group="sweep")], groups=TWO_OF_SWEEP))
    assert started(decision) == ["a", "d"]
    text = "group sweep is full: x and a run, 2 at a time"
    assert {name: why.text for name, why in decision.whys.items()} == {"id-b": text, "id-c": text}
    assert decision.whys["id-b"].code is WaitCode.GROUP_FULL


def test_the_queue_as_a_whole_may_have_a_limit() -> None:
    waiting = [waits("a", group="sweep"), waits("b")]
    assert reasons(waiting, groups={"*": GroupState(1)}) == {
        "b": (WaitCode.GROUP_FULL, "the queue is full: a runs, 1 at a time")
    }


def test_a_run_that_is_leaving_has_its_place_in_the_group_until_it_is_gone() -> None:
    running = [on_cpu("x", group="sweep", leaving=True), on_cpu("y", group="sweep")]
    assert reasons([waits("a", group="sweep")], running, groups=TWO_OF_SWEEP) == {
        "a": (WaitCode.GROUP_FULL, "group sweep is full: x (leaving) and y run, 2 at a time")
    }


def test_a_place_in_a_group_is_kept_for_who_waits_for_room_before() -> None:
    there = machine(a_gpu(0))
    groups = {"sweep": GroupState(1)}
    waiting = [waits("a", gpu(8), group="sweep"), waits("b", cpu(), group="sweep"), waits("c")]
    assert started(decide(a_queue(waiting, [on_gpu("x", 0)], there, groups=groups))) == ["c"]
    assert reasons(waiting, [on_gpu("x", 0)], there, groups=groups)["b"] == (
        WaitCode.TURN,
        "the next place of group sweep is kept for a",
    )


def test_a_run_that_waits_for_its_group_keeps_no_device() -> None:
    groups = {"sweep": GroupState(1)}
    waiting = [waits("a", cpu(8), group="sweep"), waits("b", cpu(7))]
    assert started(decide(a_queue(waiting, [on_cpu("x", group="sweep")], groups=groups))) == ["b"]


def test_a_run_that_can_never_start_keeps_no_place_of_its_group() -> None:
    groups = {"sweep": GroupState(1)}
    waiting = [waits("a", gpu(), group="sweep"), waits("b", group="sweep")]
    assert started(decide(a_queue(waiting, groups=groups))) == ["b"]
