"""What is foretold of a night, worked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from kitchen_core.needs import Placement
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.foretelling import Foretold, Night, foretell
from kitchen_daemon.queueing.imagining import Firing
from kitchen_daemon.queueing.lining import Line
from kitchen_daemon.queueing.planning import Origin, device, night_plan
from kitchen_daemon.queueing.states import GroupState, Parent, QueueState, Waiting, WindowState
from tests.kitchen_daemon.queueing.histories import CPU_NEEDS
from tests.kitchen_daemon.queueing.queues import (
    GB,
    NOON,
    a_gpu,
    a_queue,
    berlin,
    cpu,
    gpu,
    machine,
    on_cpu,
    on_gpu,
    waits,
)

HOUR = 3600.0
ONE_GPU = machine(a_gpu(0))
TEN_PM, SIX_AM = berlin(2027, 3, 3, 22), berlin(2027, 3, 4, 6)
MIDNIGHT = berlin(2027, 3, 4, 0)


def nights(at: float) -> Mapping[str, WindowState]:
    """One window, from ten to six and so on every day."""
    begin, end = TEN_PM, SIX_AM
    while end <= at:
        begin, end = begin + 24 * HOUR, end + 24 * HOUR
    is_open = begin <= at
    return {"night": WindowState(is_open, end if is_open else begin)}


def never(at: float) -> Mapping[str, WindowState]:
    return {}


def hours(told: Foretold) -> list[tuple[float, float | None, str | None]]:
    """When a run has a worker, in hours from noon, and why it loses it."""
    return [
        (
            (stretch.starts_at - NOON) / HOUR,
            None if stretch.ends_at is None else (stretch.ends_at - NOON) / HOUR,
            stretch.ends,
        )
        for stretch in told.stretches
    ]


def foretold(
    state: QueueState, until_h: float = 48, firings: Sequence[Firing] = ()
) -> dict[str, Foretold]:
    night = foretell(state, nights, firings, NOON + until_h * HOUR)
    return {told.run.name: told for told in night.runs}


def test_runs_follow_each_other_as_they_are_quoted() -> None:
    waiting = [
        waits(name, cpu(8), seconds=seconds * HOUR) for name, seconds in (("a", 2), ("b", 1))
    ]
    told = foretold(a_queue(waiting, [on_cpu("x", 8, seconds=HOUR / 2, started_at=NOON - HOUR)]))
    assert {name: hours(run) for name, run in told.items()} == {
        "x": [(-1, 0.5, "done")],
        "a": [(0.5, 2.5, "done")],
        "b": [(2.5, 3.5, "done")],
    }


def test_a_window_that_closes_divides_a_run() -> None:
    told = foretold(
        a_queue([waits("a", window="night", seconds=10 * HOUR)], windows={**nights(NOON)})
    )
    assert hours(told["a"]) == [(10, 18, "window"), (34, 36, "done")]
    assert told["a"].why is None


def test_a_run_that_gives_way_goes_on_with_what_it_has_left() -> None:
    urgent = waits(
        "urgent", gpu(8), priority=5, preempts=True, not_before=NOON + HOUR, seconds=HOUR
    )
    told = foretold(a_queue([urgent], [on_gpu("x", 0, seconds=3 * HOUR, started_at=NOON)], ONE_GPU))
    assert hours(told["x"]) == [(0, 1, "preempted"), (2, 4, "done")]
    assert hours(told["urgent"]) == [(1, 2, "done")]


def test_children_follow_their_parents_and_are_not_begun_after_those_that_are_lost() -> None:
    waiting = [
        waits("child", parents=(Parent("id-x", "x", RunStatus.RUNNING, True),), seconds=HOUR),
        waits("orphan", parents=(Parent("lost", "lost", RunStatus.FAILED, True),), seconds=HOUR),
    ]
    told = foretold(a_queue(waiting, [on_cpu("x", seconds=2 * HOUR)]))
    assert hours(told["child"]) == [(2, 3, "done")]
    assert hours(told["orphan"]) == []
    why = told["orphan"].why
    assert why is not None
    assert why.code is WaitCode.AFTER_LOST


def test_what_schedules_make_waits_from_then_on() -> None:
    at_two = Firing(NOON + 2 * HOUR, waits("made", cpu(8), priority=1, seconds=HOUR))
    child = waits("its child", parents=(Parent("id-a", "a", RunStatus.QUEUED, True),), seconds=HOUR)
    later = Firing(NOON + 5 * HOUR, child)
    too_late = Firing(NOON + 48 * HOUR, waits("too late"))
    waiting = [waits(name, cpu(8), seconds=1.5 * HOUR) for name in "abc"]
    told = foretold(a_queue(waiting), firings=[later, at_two, too_late])
    assert {name: hours(run)[0][:2] for name, run in told.items()} == {
        "a": (0, 1.5),
        "b": (1.5, 3),
        "made": (3, 4),
        "c": (4, 5.5),
        "its child": (5.5, 6.5),
    }


def test_what_nobody_knows_the_length_of_is_assumed_and_its_end_is_not_told() -> None:
    state = a_queue([waits("a", cpu(8)), waits("b", cpu(8), seconds=HOUR)])
    night = foretell(state, never, (), NOON + 9 * HOUR, assumed_s=1.5 * HOUR)
    assert [hours(told) for told in night.runs] == [[(0, 1.5, None)], [(1.5, 2.5, "done")]]
    assert night.assumed == ("id-a",)


def test_what_goes_on_beyond_the_plan_has_no_end_in_it() -> None:
    told = foretold(a_queue([waits("a", cpu(8), seconds=99 * HOUR), waits("b")]), until_h=5)
    assert hours(told["a"]) == [(0, None, None)]
    assert (told["b"].stretches, told["b"].why and told["b"].why.code) == ([], WaitCode.DEVICE)


def test_what_waits_at_the_end_is_told_as_one_says_it_at_the_beginning() -> None:
    """Of the evening of the next day: not `at 22:00`, as it would be said then."""
    waiting = [waits("a", window="night", not_before=NOON + HOUR, seconds=20 * HOUR)]
    told = foretold(a_queue(waiting), until_h=24)
    assert hours(told["a"]) == [(10, 18, "window")]
    why = told["a"].why
    assert why is not None
    assert (why.code, why.text) == (WaitCode.WINDOW_CLOSED, "opens tomorrow at 22:00")


def test_runs_that_are_leaving_are_taken_to_be_gone() -> None:
    state = a_queue([waits("a", cpu(8), seconds=HOUR)], [on_cpu("x", 8, leaving=True)])
    assert {name: hours(run) for name, run in foretold(state).items()} == {"a": [(0, 1, "done")]}


def test_a_plan_that_ends_before_it_begins_is_empty() -> None:
    assert foretell(a_queue([]), never, (), NOON - 1) == Night((), ())


def test_the_plan_names_recipes_schedules_and_devices() -> None:
    made = Waiting("made", "nightly", gpu(6, shares=True), seconds=HOUR)
    state = a_queue([waits("a", cpu(2), seconds=HOUR), waits("b", is_held=True)], on=ONE_GPU)
    until = NOON + 9 * HOUR
    night = foretell(state, never, [Firing(NOON + HOUR, made)], until)
    origins = {"id-a": Origin("sl"), "id-b": Origin("sl"), "made": Origin("dpo", "nightly")}
    plan = night_plan(state, night, origins, until, HOUR)
    assert [(run.id, run.name, run.recipe, run.schedule) for run in plan.runs] == [
        ("id-a", "a", "sl", None),
        (None, "nightly", "dpo", "nightly"),
        ("id-b", "b", "sl", None),
    ]
    assert [each.device for run in plan.runs for each in run.stretches] == [
        "2 CPU slots",
        "6 GB of GPU 0",
    ]
    assert (plan.runs[2].code, plan.runs[2].reason) == (WaitCode.HELD, "held until you release it")
    assert (plan.made_at, plan.until, plan.assumed) == (NOON, until, [])


def test_places_are_told_in_words() -> None:
    gpus = (a_gpu(0), a_gpu(1))
    assert device(Placement(slots=1), gpus) == "1 CPU slot"
    assert device(Placement(gpus=("GPU-1",)), gpus) == "GPU 1"
    assert device(Placement(gpus=("GPU-0", "GPU-1")), gpus) == "GPUs 0 and 1"
    share = Placement(gpus=("GPU-0",), memory_bytes=8 * GB, shares=True)
    assert device(share, gpus) == "8 GB of GPU 0"
    assert device(Placement(gpus=("GPU-9",)), gpus) == "GPU GPU-9"


def test_the_front_of_the_line_is_enough_to_foretell_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs that are much alike a decision sees a part; the night is that of all."""
    only_front, seen, there = Line.front, [0], [0]

    def front(line: Line) -> tuple[Waiting, ...]:
        seen[0] += len(found := only_front(line))
        there[0] += len(line.by_id)
        return found

    for seed in range(20):
        state = a_long_line(Random(seed))
        monkeypatch.setattr(Line, "front", front)
        night = foretell(state, nights, (), NOON + 30 * HOUR)
        monkeypatch.setattr(Line, "front", lambda line: tuple(line.by_id.values()))
        assert night == foretell(state, nights, (), NOON + 30 * HOUR), seed
    assert seen[0] < 0.9 * there[0]


def a_long_line(random: Random) -> QueueState:
    """Runs of a few kinds that wait for a small machine."""
    pick, chance = random.choice, random.random
    kinds = random.sample((*CPU_NEEDS[:12], gpu(), gpu(20), gpu(11, shares=True)), 2)
    waiting = [
        waits(
            f"{number:02}",
            pick(kinds),
            rank=chance(),
            priority=pick((0, 0, 1)),
            group=pick(("main", "main", "sweep")),
            window=pick((None, None, "night")),
            is_held=chance() < 0.05,
            not_before=NOON + 4 * HOUR if chance() < 0.05 else None,
            preempts=chance() < 0.3,
            seconds=round(2 * HOUR * chance(), 2),
        )
        for number in range(160)
    ]
    there = machine(a_gpu(0, 24), *[a_gpu(1, 80)] * pick((0, 1)), slots=pick((1, 2)), ram_gb=16)
    groups = {"sweep": GroupState(pick((None, 1, 2))), "*": GroupState(pick((None, 3)))}
    return a_queue(waiting, on=there, windows={**nights(NOON)}, groups=groups)
