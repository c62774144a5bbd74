"""Who has room where, and what those are told that have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kitchen_core.needs import Placement
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.deciding import decide
from tests.kitchen_daemon.queueing.queues import (
    GB,
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

TWO_GPUS = machine(a_gpu(0), a_gpu(1))


def places(*args: object, **more: object) -> dict[str, Placement]:
    starts = decide(a_queue(*args, **more)).starts  # type: ignore[arg-type]
    return {start.run_id.removeprefix("id-"): start.placement for start in starts}


# CPU


def test_cpu_runs_share_slots_and_ram() -> None:
    waiting = [waits("a", cpu(4, 20)), waits("b", cpu(3, 20)), waits("c", cpu(2))]
    assert places(waiting) == {
        "a": Placement(slots=4, memory_bytes=20 * GB),
        "b": Placement(slots=3, memory_bytes=20 * GB),
    }
    text = "needs 2 CPU slots, 1 of 8 is free: the others are taken, by a and b"
    assert reasons(waiting) == {"c": (WaitCode.DEVICE, text)}


def test_a_run_takes_all_slots_where_it_asks_for_more_than_there_are() -> None:
    assert places([waits("a", cpu(96))]) == {"a": Placement(slots=8)}


def test_the_slots_of_a_run_that_is_leaving_are_taken_until_it_is_gone() -> None:
    running = [on_cpu("x", 5, leaving=True), on_cpu("y", 3)]
    text = "all 8 CPU slots are taken, by x (leaving) and y"
    assert reasons([waits("a")], running) == {"a": (WaitCode.DEVICE, text)}


def test_ram_that_is_taken_is_told_with_who_has_it() -> None:
    running = [on_cpu("x", 1, 40), on_cpu("y", 1, 10)]
    text = "needs 12 GB of RAM, 10 GB free: x uses 40 GB, y 10 GB and other programs 4 GB"
    assert reasons([waits("a", cpu(1, 12))], running) == {"a": (WaitCode.MEMORY, text)}


def test_ram_that_others_use_is_respected_though_nothing_of_ours_runs() -> None:
    there = machine(ram_gb=64, others_have_gb=54.4)
    text = "needs 12 GB of RAM, 9.6 GB free: other programs use 54 GB"
    assert reasons([waits("a", cpu(1, 12))], on=there) == {"a": (WaitCode.MEMORY, text)}


def test_ram_is_left_free_beside_several_runs_and_not_beside_one() -> None:
    there = replace(machine(ram_gb=8, others_have_gb=3), ram_kept_free_bytes=GB)
    waiting = [waits("a", cpu(1, 4.5)), waits("b", cpu(1, 0.4))]
    assert started(decide(a_queue(waiting, on=there))) == ["a"]
    running = [on_cpu("x", 1, 3)]
    assert started(decide(a_queue([waits("a", cpu(1, 1))], running, on=there))) == ["a"]
    text = "needs 1.1 GB of RAM, 1 GB free: x uses 3 GB and other programs 3 GB"
    assert reasons([waits("a", cpu(1, 1.1))], running, on=there) == {"a": (WaitCode.MEMORY, text)}


def test_a_run_that_needs_more_ram_than_there_is_keeps_nothing_from_the_next() -> None:
    waiting = [waits("a", cpu(1, 65)), waits("b", cpu(8, 60))]
    assert started(decide(a_queue(waiting))) == ["b"]
    text = "needs 65 GB of RAM, the machine has 64 GB"
    assert reasons(waiting) == {"a": (WaitCode.TOO_LARGE, text)}


def test_nobody_gets_slots_that_a_run_before_it_waits_for() -> None:
    waiting = [waits("a", cpu(6)), waits("b", cpu(4)), waits("c", cpu(1))]
    assert reasons(waiting, [on_cpu("x", 4)]) == {
        "a": (
            WaitCode.DEVICE,
            "needs 6 CPU slots, 4 of 8 are free: the others are taken, by x",
        ),
        "b": (WaitCode.TURN, "kept for a, which comes first"),
        "c": (WaitCode.TURN, "kept for a, which comes first"),
    }


def test_what_a_run_before_it_cannot_use_may_be_used() -> None:
    """It waits for RAM and keeps a slot, and so does the next; the other slots are not kept."""
    waiting = [waits("a", cpu(1, 50)), waits("b", cpu(3)), waits("c", cpu(1, 1)), waits("d")]
    decision = decide(a_queue(waiting, [on_cpu("x", 2, 20)]))
    assert started(decision) == ["b", "d"]
    assert decision.whys["id-c"].text == "kept for a, which comes first"


def test_gpu_runs_take_no_cpu_slots() -> None:
    waiting = [waits("a", gpu(10)), waits("b", cpu(8))]
    assert started(decide(a_queue(waiting, on=TWO_GPUS))) == ["a", "b"]


# whole GPUs


def test_whole_gpus_go_to_one_run_each_those_with_most_memory_first() -> None:
    there = machine(a_gpu(0, 24), a_gpu(1, 80), a_gpu(2, 80, (7, 3.0)))
    waiting = [waits("a", gpu(10)), waits("b", gpu(10)), waits("c", gpu()), waits("d", gpu(10))]
    assert {name: place.gpus for name, place in places(waiting, on=there).items()} == {
        "a": ("GPU-1",),
        "b": ("GPU-2",),
        "c": ("GPU-0",),
    }
    assert reasons(waiting, on=there) == {
        "d": (WaitCode.DEVICE, "all 3 GPUs are taken, by c, a and b")
    }


def test_the_only_gpu_is_named_so() -> None:
    decision = decide(a_queue([waits("a", gpu())], [on_gpu("x", 0)], machine(a_gpu(0))))
    assert decision.whys["id-a"].text == "the GPU is taken, by x"


def test_a_run_with_two_gpus_gets_both_or_keeps_what_is_free() -> None:
    there = machine(a_gpu(0), a_gpu(1), a_gpu(2))
    waiting = [waits("a", gpu(10, gpus=2)), waits("b", gpu(10)), waits("c", gpu(1, shares=True))]
    assert places(waiting[:1], [on_gpu("x", 1)], there)["a"].gpus == ("GPU-0", "GPU-2")
    assert reasons(waiting, [on_gpu("x", 0), on_gpu("y", 2)], there) == {
        "a": (
            WaitCode.DEVICE,
            "needs 2 GPUs, 1 of 3 is free: the others are taken, by x and y",
        ),
        "b": (WaitCode.TURN, "kept for a, which comes first"),
        "c": (WaitCode.TURN, "kept for a, which comes first"),
    }


def test_a_gpu_that_is_too_small_for_the_first_goes_to_the_next() -> None:
    there = machine(a_gpu(0, 24), a_gpu(1, 80))
    decision = decide(a_queue([waits("a", gpu(40)), waits("b", gpu(20))], [on_gpu("x", 1)], there))
    assert started(decision) == ["b"]
    assert decision.whys["id-a"].text == "the GPU of 40 GB is taken, by x"


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        (gpu(30), "needs 30 GB of a GPU, the largest has 24 GB"),
        (gpu(gpus=3), "needs 3 GPUs, the machine has 2"),
        (gpu(30, gpus=2), "needs 2 GPUs with 30 GB, the machine has none"),
    ],
)
def test_what_is_too_large_for_the_machine_keeps_nothing(needs: object, text: str) -> None:
    waiting = [waits("a", needs), waits("b", gpu(gpus=2))]  # type: ignore[arg-type]
    assert started(decide(a_queue(waiting, on=TWO_GPUS))) == ["b"]
    assert reasons(waiting, on=TWO_GPUS) == {"a": (WaitCode.TOO_LARGE, text)}


def test_a_machine_without_gpus_says_so() -> None:
    assert reasons([waits("a", gpu(1))]) == {
        "a": (WaitCode.TOO_LARGE, "needs a GPU, the machine has none")
    }


# other programs


def test_the_programs_in_the_way_are_named_the_largest_first() -> None:
    there = machine(a_gpu(0, 24, (7, 0.5), (812, 14.0), (0, 6.4)))
    text = "needs 9.4 GB, 3.1 GB free: pid 812 uses 14 GB, another program 6.4 GB and pid 7 500 MB"
    assert reasons([waits("a", gpu(9.4))], on=there) == {"a": (WaitCode.MEMORY, text)}


def test_the_example_of_the_handbook() -> None:
    there = machine(a_gpu(0, 17.1, (812, 14.0)))
    text = "needs 9.4 GB, 3.1 GB free: pid 812 uses 14 GB"
    assert reasons([waits("a", gpu(9.4))], on=there) == {"a": (WaitCode.MEMORY, text)}


def test_of_several_gpus_that_with_the_most_room_is_told() -> None:
    there = machine(a_gpu(0, 24, (1, 20.0)), a_gpu(1, 24, (2, 18.0)))
    text = "needs 9 GB, 6 GB free on GPU 1: pid 2 uses 18 GB"
    assert reasons([waits("a", gpu(9))], on=there) == {"a": (WaitCode.MEMORY, text)}


def test_several_gpus_need_room_each() -> None:
    there = machine(a_gpu(0, 24, (1, 20.0)), a_gpu(1, 24))
    text = "needs 2 GPUs with 9 GB free, there is 1: pid 1 uses 20 GB on GPU 0"
    assert reasons([waits("a", gpu(9, gpus=2))], on=there) == {"a": (WaitCode.MEMORY, text)}


def test_a_run_of_unknown_size_gets_no_gpu_that_others_compute_on() -> None:
    beside_a_screen, beside_a_program = a_gpu(0, 24, (1, 1.0)), a_gpu(0, 24, (1, 1.1))
    assert started(decide(a_queue([waits("a", gpu())], on=machine(beside_a_screen)))) == ["a"]
    text = "needs a GPU that nobody else uses: pid 1 uses 1.1 GB"
    assert reasons([waits("a", gpu())], on=machine(beside_a_program)) == {
        "a": (WaitCode.MEMORY, text)
    }


def test_a_run_that_others_keep_out_keeps_nobody_out() -> None:
    there = machine(a_gpu(0, 24, (812, 20.0)))
    waiting = [waits("a", gpu(9)), waits("b", gpu(3))]
    assert started(decide(a_queue(waiting, on=there))) == ["b"]


# shares


def test_shares_of_a_gpu_go_where_they_leave_the_least() -> None:
    there = machine(a_gpu(0, 80), a_gpu(1, 24))
    waiting = [waits(name, gpu(10, shares=True)) for name in "abc"]
    decided = places(waiting, on=there)
    assert {name: place.gpus for name, place in decided.items()} == {
        "a": ("GPU-1",),
        "b": ("GPU-1",),
        "c": ("GPU-0",),
    }
    assert decided["a"] == Placement(gpus=("GPU-1",), memory_bytes=10 * GB, shares=True)


def test_a_share_that_finds_too_little_left_is_told_who_has_the_rest() -> None:
    there = machine(a_gpu(0, 24, (812, 2.0)))
    running = [on_gpu("x", 0, share_gb=12), on_gpu("y", 0, share_gb=6)]
    text = "needs 9.4 GB, 4 GB free: x uses 12 GB, y 6 GB and pid 812 2 GB"
    assert reasons([waits("a", gpu(9.4, shares=True))], running, there) == {
        "a": (WaitCode.MEMORY, text)
    }


def test_nobody_shares_with_a_run_that_has_its_gpu_alone() -> None:
    waiting = [waits("a", gpu(1, shares=True)), waits("b", gpu(1))]
    there = machine(a_gpu(0), a_gpu(1))
    decision = decide(a_queue(waiting, [on_gpu("x", 0), on_gpu("y", 1, share_gb=4)], there))
    assert decision.starts[0].placement.gpus == ("GPU-1",)
    assert decision.whys["id-b"].text == "all 2 GPUs are taken, by x, y and a"


def test_a_share_of_unknown_size_is_the_whole() -> None:
    decided = places([waits("a", gpu(shares=True)), waits("b", gpu(1, shares=True))], on=TWO_GPUS)
    assert decided["a"] == Placement(gpus=("GPU-0",))
    assert decided["b"].gpus == ("GPU-1",)


def test_nobody_joins_the_gpu_that_a_run_before_it_waits_for() -> None:
    """It waits for that which was joined longest ago; the other one may be joined on."""
    running = [
        on_gpu("x", 0, share_gb=4, started_at=20.0),
        on_gpu("y", 1, share_gb=4, started_at=10.0),
    ]
    waiting = [
        waits("a", gpu(20)),
        waits("b", gpu(4, shares=True)),
        waits("c", gpu(18, shares=True)),
    ]
    decision = decide(a_queue(waiting, running, TWO_GPUS))
    assert [(start.run_id, start.placement.gpus) for start in decision.starts] == [
        ("id-b", ("GPU-0",))
    ]
    assert decision.whys["id-c"].text == "kept for a, which comes first"


def test_a_gpu_that_is_not_there_any_more_is_nobodys() -> None:
    assert started(decide(a_queue([waits("a", gpu())], [on_gpu("x", 5)], TWO_GPUS))) == ["a"]
