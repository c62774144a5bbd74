"""Whatever happens to a queue, no limit is exceeded, nobody is passed over, and everybody knows why he waits."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.queueing.deciding import decide
from tests.kitchen_daemon.queueing.histories import History
from tests.kitchen_daemon.queueing.holding import Patience, check, could_run

HISTORIES = 10_000
AT_ONCE = 1_000


@pytest.mark.parametrize("first", range(0, HISTORIES, AT_ONCE))
def test_all_that_holds_of_a_queue_holds_in_ten_thousand_histories(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        try:
            live(History(Random(seed)), turns=4)
        except AssertionError as error:
            error.add_note(f"in the history of seed {seed}")
            raise


@settings(max_examples=40, suppress_health_check=[HealthCheck.large_base_example])
@given(st.randoms(use_true_random=False), st.integers(0, 8))
def test_a_history_in_which_it_does_not_hold_would_be_made_small(
    random: Random, turns: int
) -> None:
    live(History(random), turns)


@pytest.mark.parametrize("seed", range(100))
def test_nobody_is_passed_over_while_more_and_more_come_behind_him(seed: int) -> None:
    live(History(Random(seed), is_busy=True), turns=60)


def live(history: History, turns: int) -> None:
    """A history until the last run that can run has run."""
    patience = Patience()
    for _ in range(turns):
        turn(history, patience)
        history.go_on()
    history.lift()
    while history.waiting or history.running:
        turn(history, patience)
        if not history.running:
            break
        history.end_one(RunStatus.COMPLETED)
    passed_over = [
        run
        for run in history.waiting.values()
        if could_run(run.needs, history.machine)
        and all(parent.status.is_final for parent in run.parents)  # else those can't run
    ]
    assert not passed_over


def turn(history: History, patience: Patience) -> None:
    """One look at the queue, as a dispatcher takes it."""
    state = history.state
    decision = decide(state)
    check(state, decision)
    patience.check(state, decision, is_disturbed=history.is_disturbed)
    history.is_disturbed = False
    if not (decision.starts or decision.go_aside):
        return
    history.apply(decision)
    again = decide(history.state)
    assert (again.starts, again.go_aside) == ((), ())
