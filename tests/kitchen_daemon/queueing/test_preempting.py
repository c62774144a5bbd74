"""Who goes aside for a run that asks for it."""

from __future__ import annotations

from kitchen_core.telemetry.schema import PausedFor
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.deciding import decide
from kitchen_daemon.queueing.decisions import GoAside
from kitchen_daemon.queueing.states import GroupState
from tests.kitchen_daemon.queueing.queues import (
    NOON,
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
    went_aside,
)

ONE_GPU = machine(a_gpu(0))
TWO_GPUS = machine(a_gpu(0), a_gpu(1))


def urgent(name: str = "urgent", *args: object, priority: int = 5, **more: object):
    return waits(name, *args, priority=priority, preempts=True, **more)  # type: ignore[arg-type]


def test_a_run_of_lower_priority_goes_aside_and_its_place_is_kept() -> None:
    waiting = [urgent(needs=gpu(8)), waits("next", gpu(8), priority=5, rank=1.0)]
    decision = decide(a_queue(waiting, [on_gpu("x", 0)], ONE_GPU))
    assert decision.go_aside == (GoAside("id-x", PausedFor.PREEMPTION, "id-urgent"),)
    assert decision.starts == ()
    assert {name: (why.code, why.text) for name, why in decision.whys.items()} == {
        "id-urgent": (WaitCode.PREEMPTING, "waits until x has gone aside"),
        "id-next": (WaitCode.TURN, "kept for urgent, which comes first"),
    }


def test_while_it_leaves_nobody_else_has_to() -> None:
    running = [on_gpu("x", 0, leaving=True), on_gpu("y", 1)]
    decision = decide(a_queue([urgent(needs=gpu(8))], running, TWO_GPUS))
    assert decision.go_aside == ()
    assert decision.whys["id-urgent"].text == "waits until x has gone aside"


def test_it_starts_when_the_place_is_free() -> None:
    waiting = [urgent(needs=gpu(8)), waits("x", gpu(8))]
    assert started(decide(a_queue(waiting, [], ONE_GPU))) == ["urgent"]


def test_nobody_of_the_same_priority_goes_aside() -> None:
    queue = a_queue([urgent(needs=gpu(8))], [on_gpu("x", 0, priority=5)], ONE_GPU)
    assert decide(queue).go_aside == ()
    assert decide(queue).whys["id-urgent"].text == "the GPU is taken, by x"


def test_nobody_goes_aside_for_a_run_that_has_not_asked() -> None:
    waiting = [waits("patient", gpu(8), priority=5)]
    assert decide(a_queue(waiting, [on_gpu("x", 0)], ONE_GPU)).go_aside == ()


def test_the_lowest_priority_goes_and_of_those_the_youngest() -> None:
    there = machine(*(a_gpu(index) for index in range(4)))
    running = [
        on_gpu("high", 0, priority=4, started_at=NOON - 1),
        on_gpu("old", 1, priority=1, started_at=NOON - 900),
        on_gpu("young", 2, priority=1, started_at=NOON - 60),
        on_gpu("middle", 3, priority=2, started_at=NOON - 5),
    ]
    assert went_aside(decide(a_queue([urgent(needs=gpu(8))], running, there))) == ["young"]
    two = urgent(needs=gpu(8, gpus=2))
    assert went_aside(decide(a_queue([two], running, there))) == ["young", "old"]


def test_the_fewest_go_aside_though_they_have_a_higher_priority() -> None:
    running = [
        on_cpu("small", 2, priority=0),
        on_cpu("little", 2, priority=0),
        on_cpu("large", 4, priority=1),
    ]
    assert went_aside(decide(a_queue([urgent(needs=cpu(4))], running))) == ["large"]


def test_nobody_goes_aside_where_that_is_not_enough() -> None:
    running = [on_gpu("low", 0, priority=0), on_gpu("equal", 1, priority=5)]
    decision = decide(a_queue([urgent(needs=gpu(8, gpus=2))], running, TWO_GPUS))
    assert decision.go_aside == ()
    assert decision.whys["id-urgent"].code is WaitCode.DEVICE


def test_nobody_goes_aside_for_what_is_too_large_or_kept_out_by_other_programs() -> None:
    for there in (machine(a_gpu(0, 24)), machine(a_gpu(0, 80, (812, 60.0)))):
        waiting = [urgent(needs=gpu(40))]
        assert decide(a_queue(waiting, [on_gpu("x", 0)], there)).go_aside == ()


def test_the_place_goes_to_those_before_in_the_line_so_more_may_have_to_leave() -> None:
    """One place would be taken by who waits patiently before it."""
    waiting = [waits("patient", gpu(8), priority=9), urgent(needs=gpu(8))]
    both = [on_gpu("x", 0), on_gpu("y", 1)]
    assert decide(a_queue(waiting, both[:1], ONE_GPU)).go_aside == ()
    assert sorted(went_aside(decide(a_queue(waiting, both, TWO_GPUS)))) == ["x", "y"]


def test_each_of_two_gets_a_place_of_its_own() -> None:
    waiting = [urgent("one", gpu(8)), urgent("two", gpu(8)), urgent("three", gpu(8), rank=1.0)]
    decision = decide(a_queue(waiting, [on_gpu("x", 0), on_gpu("y", 1)], TWO_GPUS))
    assert sorted((gone.run_id, gone.for_run) for gone in decision.go_aside) == [
        ("id-x", "id-one"),
        ("id-y", "id-two"),
    ]
    assert decision.whys["id-three"].text == "kept for one, which comes first"


def test_shares_are_freed_until_there_is_room() -> None:
    running = [on_gpu("small", 0, share_gb=4), on_gpu("large", 0, share_gb=16)]
    decision = decide(a_queue([urgent(needs=gpu(10, shares=True))], running, ONE_GPU))
    assert went_aside(decision) == ["large"]


def test_a_place_in_a_full_group_is_made_too() -> None:
    groups = {"sweep": GroupState(1)}
    running = [on_cpu("x", 1, group="sweep"), on_cpu("y", 1)]
    waiting = [urgent(group="sweep")]
    assert went_aside(decide(a_queue(waiting, running, groups=groups))) == ["x"]
    leaving = [on_cpu("x", 1, group="sweep", leaving=True)]
    assert reasons(waiting, leaving, groups=groups) == {
        "urgent": (WaitCode.PREEMPTING, "waits until x has gone aside")
    }


def test_nobody_goes_aside_for_a_run_that_has_another_obstacle() -> None:
    waiting = [urgent(needs=gpu(8), not_before=NOON + 60)]
    assert decide(a_queue(waiting, [on_gpu("x", 0)], ONE_GPU)).go_aside == ()


def test_many_small_ones_go_aside_for_a_large_one() -> None:
    running = [on_cpu(f"r{index:02}", 1, started_at=float(index)) for index in range(30)]
    decision = decide(a_queue([urgent(needs=cpu(20))], running, machine(slots=32)))
    assert went_aside(decision) == [f"r{index}" for index in range(29, 11, -1)]


def test_nobody_goes_aside_for_a_run_whose_place_in_the_group_is_kept_for_another() -> None:
    """The one before it waits for a CPU slot that is kept already, and has nothing but its place in the group."""
    waiting = [
        waits("first", cpu(8), priority=5, rank=1.0),
        waits("second", priority=5, rank=2.0, group="sweep"),
        urgent(needs=gpu(8), rank=3.0, group="sweep"),
    ]
    running = [on_cpu("x", 8), on_gpu("y", 0)]
    decision = decide(a_queue(waiting, running, ONE_GPU, groups={"sweep": GroupState(1)}))
    assert decision.go_aside == ()
    text = "the next place of group sweep is kept for second"
    assert decision.whys["id-urgent"].text == text
