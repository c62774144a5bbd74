"""A real short night: a real daemon, real workers, twelve runs, and a window that closes over them twice.

Two CPU slots, so two runs at a time. The window is open for two minutes, closed for one, open for two, closed for
one, and then open until all is done. Takes ten minutes on two cores that are free, and prints the figures:
`pytest -m slow -s tests/kitchen_daemon/scheduling/test_short_night.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kitchen_core.store.records import AttemptRecord
from kitchen_core.telemetry.schema import Event, EventKind, PausedFor, RunStatus
from tests.kitchen_daemon.scheduling.short_nights import (
    WISHES,
    Evidence,
    Hours,
    ShortNight,
    completed,
    launch_all,
    measure_steps,
    open_window,
)
from tests.kitchen_daemon.support import final_sha256, running_daemon

pytestmark = pytest.mark.slow

SLOTS = 2
WINDOW = "short night"
GRACE_S = 10.0
"""To end a step, save and go, on a machine that others use too."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> ShortNight:
    """The night, and afterwards the same runs at another home, where no window closes."""
    with running_daemon(tmp_path_factory.mktemp("night") / "kitchen", SLOTS) as daemon:
        step_seconds = measure_steps(daemon)
        hours = Hours.soon()
        open_window(daemon, WINDOW, hours)
        ids = launch_all(daemon, step_seconds, WINDOW)
        plan = daemon.client.night("in 1h")
        assert plan.made_at < hours.opens[0]
        runs = completed(daemon, ids)
    with running_daemon(tmp_path_factory.mktemp("alone") / "kitchen", SLOTS) as daemon:
        alone = completed(daemon, launch_all(daemon, step_seconds))
    shas = {name: final_sha256(evidence.run) for name, evidence in alone.items()}
    return ShortNight(hours, plan, runs, shas)


def test_all_of_it_is_done_in_the_morning(night: ShortNight) -> None:
    assert len(night.runs) == 12
    assert {evidence.run.status for evidence in night.runs.values()} == {RunStatus.COMPLETED}
    begun = [attempt.started_at for attempt in night.attempts]
    assert min(begun) >= night.hours.opens[0]


def test_what_runs_when_the_window_closes_is_paused_for_it(night: ShortNight) -> None:
    for closes, _ in night.hours.pauses:
        for name, attempt in _disturbed(night, closes):
            pause = _pause(night, name, attempt)
            assert pause.metadata["paused_for"] == PausedFor.WINDOW, name
            assert closes <= pause.at < closes + GRACE_S
    assert _disturbed(night, night.hours.closes[0])


def test_nobody_works_while_it_is_closed(night: ShortNight) -> None:
    for closes, opens in night.hours.pauses:
        left_at = closes + GRACE_S
        assert [a for a in night.attempts if a.started_at < opens and _ended(a) > left_at] == []
        before = [event for event in night.events if event.at < opens]
        assert [event for event in before if event.at >= left_at] == []
        newest_metric = before[
            -1
        ].metric_mark  # its id, when the last event before the opening happened
        after = next((event for event in night.events if event.at >= opens), None)
        assert after is None or after.metric_mark == newest_metric


def test_they_go_on_by_themselves_when_it_opens(night: ShortNight) -> None:
    for closes, opens in night.hours.pauses:
        for name, attempt in _disturbed(night, closes):
            pause = _pause(night, name, attempt)
            queued, running = (_next(night.runs[name], to, pause) for to in ("queued", "running"))
            assert opens <= queued.at <= running.at
            assert running.step == pause.step, name  # no step is done again
    assert [e.run.name for e in night.runs.values() if e.statuses("interrupted")] == []


def test_each_makes_the_model_that_it_makes_undisturbed(night: ShortNight) -> None:
    made = {name: final_sha256(evidence.run) for name, evidence in night.runs.items()}
    assert made == night.alone
    assert len(set(made.values())) == len(WISHES)


def test_no_run_begins_before_those_that_it_comes_after_are_done(night: ShortNight) -> None:
    for wish in WISHES:
        begun = night.runs[wish.name].run.started_at
        for parent in wish.parents:
            done = night.runs[parent].run.finished_at
            assert begun is not None
            assert done is not None
            assert done <= begun, f"{wish.name} began before {parent} was done"


def test_never_more_at_a_time_than_there_are_slots(night: ShortNight) -> None:
    for attempt in night.attempts:
        beside = [a for a in night.attempts if a.started_at <= attempt.started_at < _ended(a)]
        assert len(beside) <= SLOTS


def test_the_plan_made_beforehand_has_all_of_it(night: ShortNight) -> None:
    """How near it came is a matter of the machine, and is printed."""
    assert {planned.name for planned in night.plan.runs if planned.stretches} == set(night.runs)
    for planned in night.plan.runs:
        assert planned.stretches[0].starts_at >= night.hours.opens[0]
    first = {planned.name for planned in night.plan.runs[:SLOTS]}
    assert first == {name for name, _ in _begun(night)[:SLOTS]}
    print("", *_figures(night), sep="\n")


def _at_work(night: ShortNight, at: float) -> list[tuple[str, AttemptRecord]]:
    """The runs that have a worker at a moment, with the attempt."""
    return [
        (name, attempt)
        for name, evidence in night.runs.items()
        for attempt in evidence.attempts
        if attempt.started_at < at <= _ended(attempt)
    ]


def _disturbed(night: ShortNight, closes: float) -> list[tuple[str, AttemptRecord]]:
    """Those at work at a closing that were not just about to complete."""
    soon = closes + GRACE_S
    at_work = _at_work(night, closes)
    return [each for each in at_work if (night.runs[each[0]].run.finished_at or soon) >= soon]


def _pause(night: ShortNight, name: str, attempt: AttemptRecord) -> Event:
    """The pause with which an attempt ended."""
    paused = night.runs[name].statuses("paused")
    (pause,) = [event for event in paused if event.attempt == attempt.number]
    return pause


def _next(evidence: Evidence, status: str, event: Event) -> Event:
    """The next change to a status after an event."""
    return next(each for each in evidence.statuses(status) if each.id > event.id)


def _ended(attempt: AttemptRecord) -> float:
    assert attempt.ended_at is not None
    return attempt.ended_at


def _begun(night: ShortNight) -> list[tuple[str, Evidence]]:
    """The runs as they began."""
    return sorted(night.runs.items(), key=lambda item: item[1].attempts[0].started_at)


def _figures(night: ShortNight) -> Iterator[str]:
    for closes, opens in night.hours.pauses:
        at_work = _at_work(night, closes)
        if not at_work:
            continue
        gone = max(_ended(attempt) for _, attempt in at_work) - closes
        stepped = (
            event.at
            for event in night.events
            if event.kind is EventKind.STAGE_COMPLETED and event.stage == "OptimStep"
        )
        first = min(at for at in stepped if at >= opens) - opens
        yield f"{len(at_work)} at work; from closing to the last worker gone {gone:.2f} s"
        yield f"from opening to the first step {first:.2f} s"
    yield f"planned order: {', '.join(planned.name for planned in night.plan.runs)}"
    yield f"order:         {', '.join(name for name, _ in _begun(night))}"
    opened = night.hours.opens[0]
    for planned in night.plan.runs:
        run = night.runs[planned.name].run
        expected, ended = planned.stretches[-1].ends_at, run.finished_at
        if expected is None or ended is None:
            yield f"{planned.name:16} no end foretold"
            continue
        error = (expected - ended) / (ended - opened)
        yield (
            f"{planned.name:16} end foretold {expected - opened:5.0f} s, was {ended - opened:5.0f} s "
            f"({error:+.0%}), in {len(night.runs[planned.name].attempts)} attempts"
        )
