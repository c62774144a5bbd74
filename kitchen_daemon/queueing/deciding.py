"""The one decision of the queue.

Order: by priority, then by rank. Whoever can't run for want of a device keeps its place: what it waits for
is not given to those behind it; they may have what it can't use. A run that could not have its device even if
all of ours were gone (too large, or another program is in the way) keeps nothing back.

Others go aside for a run only if that gives it a place, those before it in the line served first. The decision is
made again with them on their way out, so that asking once more finds nothing more to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kitchen_core.telemetry.schema import PausedFor
from kitchen_daemon.queueing.decisions import Decision, GoAside, Why
from kitchen_daemon.queueing.obstacles import Obstacles
from kitchen_daemon.queueing.ordering import in_order
from kitchen_daemon.queueing.preempting import who_goes_aside
from kitchen_daemon.queueing.serving import Serving
from kitchen_daemon.queueing.states import QueueState, Running, Waiting


def decide(state: QueueState) -> Decision:
    """What is to be done in this state. Pure."""
    obstacles = Obstacles(state)
    line = in_order(state.waiting)
    whys: dict[str, Why] = {}
    ready: list[Waiting] = []
    for run in line:
        obstacle = obstacles.first(run)
        if obstacle is None:
            ready.append(run)
        else:
            whys[run.id] = obstacle
    aside = [GoAside(run.id, PausedFor.WINDOW) for run in _out_of_hours(state, obstacles)]
    serving, aside = _serve(state, ready, aside)
    whys.update(serving.whys)
    return Decision(
        starts=tuple(serving.starts),
        go_aside=tuple(aside),
        order=tuple(run.id for run in line),
        whys=whys,
        look_at=obstacles.look_at,
    )


def _out_of_hours(state: QueueState, obstacles: Obstacles) -> Iterable[Running]:
    """Runs that have to stop because their window has closed."""
    for run in state.running:
        window = state.windows.get(run.window) if run.window is not None else None
        if window is None or run.leaving:
            continue
        if window.at_close == "pause":
            obstacles.look_again(window.changes_at)
            if not window.is_open:
                yield run


def _serve(
    state: QueueState, ready: Collection[Waiting], aside: list[GoAside]
) -> tuple[Serving, list[GoAside]]:
    """Serve the line, again and again until nobody more has to go aside."""
    while True:
        leaving = {run.id for run in state.running if run.leaving} | {gone.run_id for gone in aside}
        serving = Serving(state, leaving)
        more = _preempted(state, leaving, serving, ready)
        if not more:
            return serving, aside
        aside = [*aside, *more]


def _preempted(
    state: QueueState, leaving: Collection[str], serving: Serving, ready: Iterable[Waiting]
) -> list[GoAside]:
    """Serve until some have to go aside for one; who they are."""
    for run in ready:
        before = len(serving.before)
        if not serving.serve(run):
            gone = who_goes_aside(state, leaving, serving.before[:before], run)
            if gone:
                return [GoAside(other.id, PausedFor.PREEMPTION, run.id) for other in gone]
    return []
