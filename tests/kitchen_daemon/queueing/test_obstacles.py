"""What keeps a run from starting whatever room there is: the first obstacle is told."""

from __future__ import annotations

import pytest

from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.deciding import decide
from kitchen_daemon.queueing.states import GroupState, Parent, WindowState
from tests.kitchen_daemon.queueing.queues import (
    NOON,
    a_queue,
    berlin,
    on_cpu,
    reasons,
    started,
    waits,
    went_aside,
)

TEN_PM = berlin(2027, 3, 3, 22)


def dad(status: RunStatus, *, must_complete: bool = True, name: str = "sl_basic-7f3k") -> Parent:
    return Parent("0dad", name, status, must_complete)


def test_a_held_run_waits_for_its_release_whatever_else_there_is() -> None:
    held = waits("a", is_held=True, not_before=TEN_PM, parents=(dad(RunStatus.FAILED),))
    assert reasons([held]) == {"a": (WaitCode.HELD, "held until you release it")}


@pytest.mark.parametrize("status", [RunStatus.QUEUED, RunStatus.HELD, RunStatus.RUNNING])
@pytest.mark.parametrize("must_complete", [True, False])
def test_a_run_comes_after_its_parents(status: RunStatus, must_complete: bool) -> None:
    child = waits("a", parents=(dad(status, must_complete=must_complete),))
    assert reasons([child]) == {"a": (WaitCode.AFTER, "after sl_basic-7f3k 0dad")}


def test_parents_that_stand_still_are_told_with_their_status() -> None:
    parents = (dad(RunStatus.PAUSED), dad(RunStatus.INTERRUPTED, name=""), dad(RunStatus.COMPLETED))
    assert reasons([waits("a", parents=parents)]) == {
        "a": (WaitCode.AFTER, "after sl_basic-7f3k 0dad (paused) and 0dad (interrupted)")
    }


@pytest.mark.parametrize(
    ("status", "ended"),
    [(RunStatus.FAILED, "failed"), (RunStatus.CANCELLED, "was cancelled")],
)
def test_a_parent_that_had_to_complete_is_lost_where_it_ended_otherwise(
    status: RunStatus, ended: str
) -> None:
    child = waits("a", parents=(dad(RunStatus.RUNNING), dad(status)))
    text = f"after sl_basic-7f3k 0dad, which {ended}; bring it back with: kitchen resume 0dad"
    assert reasons([child]) == {"a": (WaitCode.AFTER_LOST, text)}


@pytest.mark.parametrize(
    ("status", "must_complete"),
    [
        (RunStatus.COMPLETED, True),
        (RunStatus.COMPLETED, False),
        (RunStatus.FAILED, False),
        (RunStatus.CANCELLED, False),
    ],
)
def test_a_parent_that_has_ended_as_it_may_holds_nothing_back(
    status: RunStatus, must_complete: bool
) -> None:
    child = waits("a", parents=(dad(status, must_complete=must_complete),))
    assert started(decide(a_queue([child]))) == ["a"]


def test_a_run_waits_until_its_time_has_come() -> None:
    run = waits("a", not_before=TEN_PM)
    assert reasons([run]) == {"a": (WaitCode.NOT_BEFORE, "may start at 22:00")}
    assert decide(a_queue([run])).look_at == TEN_PM
    assert started(decide(a_queue([run], now=TEN_PM))) == ["a"]


def test_a_closed_window_says_when_it_opens() -> None:
    windows = {
        "night": WindowState(False, TEN_PM),
        "weekend": WindowState(False, berlin(2027, 3, 6, 0)),
        "never": WindowState(False, None),
    }
    waiting = [waits(name, window=name) for name in windows]
    assert reasons(waiting, windows=windows) == {
        "night": (WaitCode.WINDOW_CLOSED, "opens at 22:00"),
        "weekend": (WaitCode.WINDOW_CLOSED, "opens on Saturday at 00:00"),
        "never": (WaitCode.WINDOW_CLOSED, "its window never does not open again"),
    }
    assert decide(a_queue(waiting, windows=windows)).look_at == TEN_PM


def test_a_removed_window_is_told_and_what_runs_goes_on() -> None:
    decision = decide(a_queue([waits("a", window="night")], [on_cpu("b", window="night")]))
    why = decision.whys["id-a"]
    assert (why.code, why.text) == (WaitCode.WINDOW_MISSING, "its window night was removed")
    assert (decision.starts, decision.go_aside, decision.look_at) == ((), (), None)


def test_when_a_window_closes_its_runs_save_themselves_or_go_on_to_their_end() -> None:
    running = [
        on_cpu("saved", window="night"),
        on_cpu("finishes", window="late"),
        on_cpu("leaves already", window="night", leaving=True),
    ]
    windows = {
        "night": WindowState(False, TEN_PM, "pause"),
        "late": WindowState(False, TEN_PM, "finish"),
    }
    decision = decide(a_queue([], running, windows=windows))
    assert [(gone.run_id, gone.why, gone.for_run) for gone in decision.go_aside] == [
        ("id-saved", "window", None)
    ]


def test_the_queue_looks_again_when_a_window_of_something_that_runs_closes() -> None:
    open_ = {"night": WindowState(True, TEN_PM), "late": WindowState(True, TEN_PM - 60, "finish")}
    running = [on_cpu("a", window="night"), on_cpu("b", window="late")]
    decision = decide(a_queue([], running, windows=open_))
    assert (went_aside(decision), decision.look_at) == ([], TEN_PM)


def test_what_is_held_by_people_or_runs_sets_no_alarm() -> None:
    held = waits("a", is_held=True, not_before=TEN_PM)
    child = waits("b", parents=(dad(RunStatus.RUNNING),), not_before=TEN_PM)
    assert decide(a_queue([held, child])).look_at is None


def test_nothing_of_a_paused_group_starts_and_what_runs_is_left_alone() -> None:
    groups = {"sweep": GroupState(is_paused=True)}
    queue = a_queue(
        [waits("a", group="sweep"), waits("b")], [on_cpu("c", group="sweep")], groups=groups
    )
    decision = decide(queue)
    why = decision.whys["id-a"]
    resume = "group sweep is paused; go on with: kitchen queue resume --group sweep"
    assert (why.code, why.text) == (WaitCode.QUEUE_PAUSED, resume)
    assert (started(decision), decision.go_aside) == (["b"], ())


def test_a_paused_queue_starts_nothing() -> None:
    paused = (WaitCode.QUEUE_PAUSED, "the queue is paused; go on with: kitchen queue resume")
    waiting = [waits("a"), waits("b", group="sweep")]
    assert reasons(waiting, groups={"*": GroupState(is_paused=True)}) == {"a": paused, "b": paused}


def test_an_empty_queue_has_nothing_to_decide() -> None:
    decision = decide(a_queue([]))
    assert (decision.starts, decision.go_aside, decision.order) == ((), (), ())
    assert (dict(decision.whys), decision.look_at) == ({}, None)


def test_the_order_is_priority_then_rank_then_id() -> None:
    waiting = [
        waits("d", rank=1.0),
        waits("c", rank=-3.0),
        waits("b", rank=-3.0),
        waits("a", rank=9.0, priority=1),
        waits("e", priority=-1, rank=-100.0, is_held=True),
    ]
    decision = decide(a_queue(waiting))
    assert [run_id.removeprefix("id-") for run_id in decision.order] == list("abcde")
    assert started(decision) == list("abcd")


def test_a_moment_that_has_passed_is_none_to_look_at() -> None:
    assert decide(a_queue([waits("a", not_before=NOON)])).look_at is None
