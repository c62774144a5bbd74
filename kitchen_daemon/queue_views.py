"""The queue as the API tells it: the order and the reasons are those of the last look at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from kitchen_core.needs import MAIN_GROUP
from kitchen_core.store.queue import AtWorkRow, WaitingRow
from kitchen_core.store.records import EVERY_GROUP, GroupRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Intent, PausedFor, RunStatus
from kitchen_daemon.models import GroupInfo, QueueInfo, RunningInfo, WaitCode, WaitingInfo
from kitchen_daemon.queueing.decisions import Why
from kitchen_daemon.running.crew import AtWork
from kitchen_daemon.running.dispatch import Dispatcher
from kitchen_daemon.running.looking import Look, needs_of, seconds_left

_STARTS = Why(WaitCode.STARTING, "a worker is being made for it")
_LEAVING_FOR = {
    PausedFor.WINDOW: "saves itself: its window has closed",
    PausedFor.PREEMPTION: "saves itself: it makes room for another run",
    PausedFor.QUEUE: "saves itself: the queue was paused",
}


def queue_info(store: Store, dispatcher: Dispatcher, group: str | None, limit: int) -> QueueInfo:
    """What runs, and the first of what waits, of one group or of all."""
    members = dispatcher.crew.at_work
    rows = {row.id: row for row in store.rows_at_work([member.run_id for member in members])}
    at_work = [(member, rows[member.run_id]) for member in members]
    waiting = (
        Counter[str]() if dispatcher.seen is None else _waiting_by_group(dispatcher.seen, rows)
    )
    groups = _groups(store.groups(), Counter(row.group for row in rows.values()), waiting)
    return QueueInfo(
        is_paused=any(each.is_paused for each in groups if each.name == EVERY_GROUP),
        running=[_running(*each) for each in at_work if group in (None, each[1].group)],
        waiting=list(islice(_in_order(dispatcher, group), limit)),
        waiting_count=waiting.total() if group is None else waiting[group],
        groups=groups,
    )


def _waiting_by_group(seen: Look, at_work: dict[str, AtWorkRow]) -> Counter[str]:
    """How many wait; some that did when the queue was looked at have a worker now."""
    started = (seen.rows[run_id].group for run_id in at_work if run_id in seen.rows)
    return seen.waiting_by_group - Counter(started)


def _groups(
    known: list[GroupRecord], running: Counter[str], waiting: Counter[str]
) -> list[GroupInfo]:
    """Every group that there is, `*` first."""
    by_name = {group.name: group for group in known}
    named = {MAIN_GROUP, *by_name, *running, *waiting} - {EVERY_GROUP}
    running = running + Counter({EVERY_GROUP: running.total()})
    waiting = waiting + Counter({EVERY_GROUP: waiting.total()})
    return [
        GroupInfo(
            **by_name.get(name, GroupRecord(name=name)).model_dump(),
            running=running[name],
            waiting=waiting[name],
        )
        for name in (EVERY_GROUP, *sorted(named))
    ]


def _in_order(dispatcher: Dispatcher, group: str | None) -> Iterator[WaitingInfo]:
    seen = dispatcher.seen
    if seen is None:
        return
    started = set(dispatcher.running)
    waiting = (seen.rows[run_id] for run_id in seen.decision.order if run_id not in started)
    for place, row in enumerate(waiting, 1):
        if group in (None, row.group):
            yield _waiting(place, row, dispatcher.why_of(row.id) or _STARTS)


def _waiting(place: int, row: WaitingRow, why: Why) -> WaitingInfo:
    return WaitingInfo(
        place=place,
        id=row.id,
        name=row.name,
        recipe=row.recipe,
        status=RunStatus(row.status),
        code=why.code,
        reason=why.text,
        priority=row.priority,
        group=row.group,
        window=row.window,
        not_before=row.not_before,
        needs=needs_of(row.needs),
        seconds=seconds_left(row),
    )


def _running(member: AtWork, row: AtWorkRow) -> RunningInfo:
    return RunningInfo(
        id=row.id,
        name=row.name,
        recipe=row.recipe,
        priority=row.priority,
        group=row.group,
        placement=member.placement,
        step=row.step,
        total_steps=row.total_steps,
        eta_s=row.eta_s,
        leaving=_leaving(row),
    )


def _leaving(row: AtWorkRow) -> str | None:
    """Why it stops, in a few words."""
    if row.status not in (RunStatus.QUEUED, RunStatus.RUNNING):
        return f"is {row.status}; its worker ends"
    match row.intent:
        case Intent.CANCEL:
            return "was cancelled"
        case Intent.PAUSE if row.paused_for is not None:
            return _LEAVING_FOR[PausedFor(row.paused_for)]
        case Intent.PAUSE:
            return "saves itself: somebody paused it"
        case _:
            return None
