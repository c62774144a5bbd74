"""The plan of the night: the queue foretold, with the runs that schedules have yet to make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile
from typing import Any

from pydantic import BaseModel

from kitchen_core.needs import Needs
from kitchen_core.store import Store
from kitchen_core.store.errors import StoreError
from kitchen_core.store.records import ScheduleRecord
from kitchen_daemon.models import NightPlan, Plan
from kitchen_daemon.queueing.foretelling import foretell
from kitchen_daemon.queueing.imagining import Firing
from kitchen_daemon.queueing.planning import Origin, night_plan
from kitchen_daemon.queueing.states import Parent, QueueState, Waiting
from kitchen_daemon.scheduling.due import times_of
from kitchen_daemon.scheduling.firing import launch_of
from kitchen_daemon.scheduling.hours import states_of
from kitchen_daemon.scheduling.moments import moment
from kitchen_daemon.scheduling.words import BadTime
from kitchen_daemon.scheduling.zones import zone_named

MORNING = "09:00"
LONGEST_S = 7 * 86400.0
ASSUMED_S = 3600.0
"""What a run is taken to last where nobody knows."""
MOST_FIRINGS = 1000


class Expected(BaseModel):
    """What the runs of a schedule are expected to take: as the table keeps it, beside the rest of the quote."""

    needs: Needs = Needs()
    seconds: float | None = None


@dataclass(frozen=True)
class _Coming:
    """A firing, and what it makes."""

    firing: Firing
    origin: Origin


def expected_of(plan: Plan) -> dict[str, Any]:
    """What to keep of a plan with a schedule."""
    quote = {} if plan.quote is None else plan.quote.model_dump(mode="json")
    return quote | {"needs": plan.needs.model_dump(mode="json")}


def plan_until(text: str | None, now: float) -> float:
    """How far a plan looks, in seconds since the epoch: to a moment as a user writes it, or to the end of the night.
    Raises BadTime.
    """
    until = moment(MORNING if text is None else text, now, zone_named(None))
    if until - now > LONGEST_S:
        raise BadTime(f"'{text}' is too far; a plan looks 7 days ahead at most")
    return until


def plan_the_night(
    store: Store, state: QueueState, recipes: Mapping[str, str], until: float
) -> NightPlan:
    """What runs when. recipes: of every run in the state, by id. Blocks for as long as that takes."""
    coming = sorted(_coming(store, state.now, until), key=lambda each: each.firing.at)
    if len(coming) > MOST_FIRINGS:  # beyond that it would take long, and nobody would read it
        until = coming[MOST_FIRINGS].firing.at
        coming = coming[:MOST_FIRINGS]
    origins = {run_id: Origin(recipe) for run_id, recipe in recipes.items()}
    origins |= {each.firing.run.id: each.origin for each in coming}
    windows_at = partial(states_of, store.list_windows())
    night = foretell(state, windows_at, [each.firing for each in coming], until, ASSUMED_S)
    return night_plan(state, night, origins, until, ASSUMED_S)


def _coming(store: Store, now: float, until: float) -> Iterator[_Coming]:
    """The firings until then; what is overdue fires at once."""
    for schedule in store.list_schedules():
        if not schedule.enabled or schedule.next_at is None:
            continue
        try:
            later = times_of(schedule).following(max(schedule.next_at, now))
        except BadTime:  # it will say so when it fires
            continue
        run = _run(store, schedule)
        times = chain([max(schedule.next_at, now)], later)
        for count, at in enumerate(takewhile(lambda at: at < until, times)):
            if count > MOST_FIRINGS:
                break
            yield _Coming(Firing(at, run(at)), Origin(schedule.recipe, schedule.name))


def _run(store: Store, schedule: ScheduleRecord) -> Callable[[float], Waiting]:
    """What a schedule makes, for a time: as its last run turned out, else as it was quoted."""
    launch = launch_of(schedule)
    expected = Expected.model_validate(schedule.quote or {})
    last = store.last_completed_of(schedule.id)
    parents = (*_parents(store, launch.after, True), *_parents(store, launch.after_any, False))
    seconds = expected.seconds if last is None else (last.busy_seconds or expected.seconds)

    def waiting(at: float) -> Waiting:
        return Waiting(
            id=f"{schedule.id}@{at:.3f}",
            name=launch.name or schedule.name,
            needs=expected.needs,
            priority=launch.priority,
            rank=at,
            group=launch.group,
            is_held=launch.hold,
            parents=parents,
            window=launch.window,
            preempts=launch.preempt,
            seconds=seconds,
        )

    return waiting


def _parents(store: Store, names: list[str], must_complete: bool) -> Iterator[Parent]:
    for name in names:
        try:
            run = store.find_run(name)
        except StoreError:  # gone; the firing will say so
            continue
        yield Parent(run.id, run.name, run.status, must_complete)
