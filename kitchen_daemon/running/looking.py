"""A look at the queue: the store and the machine as they are now, and what is to be done about it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

from kitchen_core.needs import Needs
from kitchen_core.store.queue import AtWorkRow, WaitingRow
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.machine.tenants import Tenant
from kitchen_daemon.queueing.deciding import decide
from kitchen_daemon.queueing.decisions import Decision
from kitchen_daemon.queueing.states import (
    GroupState,
    Machine,
    Parent,
    QueueState,
    Running,
    Waiting,
    WindowState,
)
from kitchen_daemon.running.crew import AtWork, Present

ReadMachine: TypeAlias = Callable[[Sequence[Tenant]], Machine]
"""The machine now, told of the runs that have a worker."""
ReadWindows: TypeAlias = Callable[[float], Mapping[str, WindowState]]
"""Every window by name, at a time in seconds since the epoch."""


@dataclass(frozen=True)
class Look:
    """What was seen, and decided. rows: what waits, by id."""

    state: QueueState
    decision: Decision
    rows: Mapping[str, WaitingRow]

    @cached_property
    def waiting_by_group(self) -> Counter[str]:
        """How many wait."""
        return Counter(row.group for row in self.rows.values())


def look(store: Store, crew: Present, read_machine: ReadMachine, read_windows: ReadWindows) -> Look:
    """Read everything and decide. Blocks for as long as that takes: tens of ms with thousands of runs."""
    state, rows = read_state(store, crew, read_machine, read_windows)
    return Look(state, decide(state), rows)


def read_state(
    store: Store, crew: Present, read_machine: ReadMachine, read_windows: ReadWindows
) -> tuple[QueueState, dict[str, WaitingRow]]:
    """What a decision is made of, and the rows of what waits."""
    now = time.time()
    with store.db.snapshot():
        have_worker = {member.run_id for member in crew.at_work}
        rows = {row.id: row for row in store.waiting_rows() if row.id not in have_worker}
        at_work = {row.id: row for row in store.rows_at_work(list(have_worker))}
        parents = _by_child(store)
        groups = store.groups()
    state = QueueState(
        now=now,
        waiting=tuple(_waiting(row, parents.get(row.id, ())) for row in rows.values()),
        running=(
            *(_running(member, at_work[member.run_id]) for member in crew.at_work),
            *map(_replaced, crew.replaced),
        ),
        machine=read_machine([member.tenant for member in (*crew.at_work, *crew.replaced)]),
        windows=read_windows(now),
        groups={group.name: GroupState(group.most_running, group.is_paused) for group in groups},
    )
    return state, rows


def _by_child(store: Store) -> dict[str, list[Parent]]:
    parents: dict[str, list[Parent]] = defaultdict(list)
    for row in store.parents_of_waiting():
        parents[row.child].append(
            Parent(row.id, row.name, RunStatus(row.status), bool(row.must_complete))
        )
    return parents


def _waiting(row: WaitingRow, parents: Sequence[Parent]) -> Waiting:
    return Waiting(
        id=row.id,
        name=row.name,
        needs=needs_of(row.needs),
        priority=row.priority,
        rank=row.rank,
        group=row.group,
        is_held=bool(row.is_held),
        parents=tuple(parents),
        not_before=row.not_before,
        window=row.window,
        preempts=bool(row.preempts),
        seconds=seconds_left(row),
    )


def _running(member: AtWork, row: AtWorkRow) -> Running:
    return Running(
        id=row.id,
        name=row.name,
        placement=member.placement,
        priority=row.priority,
        group=row.group,
        window=row.window,
        started_at=member.since,
        leaving=is_leaving(row),
        seconds=row.eta_s if row.eta_s is not None else seconds_left(row),
        rank=row.rank,
        preempts=bool(row.preempts),
    )


def _replaced(member: AtWork) -> Running:
    """A worker without a run, which has its place until it is gone."""
    name = f"{member.run_id}, attempt {member.attempt}"
    return Running(name, name, member.placement, started_at=member.since, leaving=True)


def is_leaving(row: AtWorkRow) -> bool:
    """Whether a run's worker was asked to stop, or has only to exit."""
    return row.intent is not None or row.status not in (RunStatus.QUEUED, RunStatus.RUNNING)


def seconds_left(row: WaitingRow | AtWorkRow) -> float | None:
    """What a run takes from here, by its quote."""
    if row.seconds is None or not row.total_steps:
        return row.seconds
    return row.seconds * max(0.0, 1 - row.step / row.total_steps)


@lru_cache(maxsize=1024)
def needs_of(text: str) -> Needs:
    """Needs from JSON; most runs' are alike."""
    return Needs.model_validate_json(text)
