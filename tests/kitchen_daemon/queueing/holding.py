"""What holds of every decision, told without the queue's own code."""

from __future__ import annotations

from collections import Counter

from kitchen_core.needs import Needs, Placement
from kitchen_core.telemetry.schema import PausedFor, RunStatus
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing.decisions import Decision, Why
from kitchen_daemon.queueing.states import Machine, QueueState, Waiting


def is_for_room(why: Why) -> bool:
    """Whether a run waits for room on the machine, its group having a place for it."""
    codes = {WaitCode.DEVICE, WaitCode.TURN, WaitCode.MEMORY, WaitCode.PREEMPTING}
    return why.code in codes and not why.text.startswith("the next place of")


def check(state: QueueState, decision: Decision) -> None:
    """All of it, for one decision."""
    waiting = {run.id: run for run in state.waiting}
    placements = [(run.id, run.placement) for run in state.running]
    starts = [(start.run_id, start.placement) for start in decision.starts]
    nobody_starts_twice(state, decision)
    everybody_has_a_reason(state, decision)
    for start in decision.starts:
        may_start(waiting[start.run_id], state)
        gets_what_it_needs(waiting[start.run_id].needs, start.placement, state.machine)
    if starts:
        limits_are_kept(state.machine, [*placements, *starts], {run_id for run_id, _ in starts})
        groups_are_kept(state, decision)
    only_lower_priorities_go_aside(state, decision)
    nobody_is_overtaken(state, decision)


def nobody_starts_twice(state: QueueState, decision: Decision) -> None:
    ids = [start.run_id for start in decision.starts]
    assert len(ids) == len(set(ids))
    assert not set(ids) & {run.id for run in state.running}


def everybody_has_a_reason(state: QueueState, decision: Decision) -> None:
    waits = {run.id for run in state.waiting} - {start.run_id for start in decision.starts}
    assert set(decision.whys) == waits
    assert all(why.text and "None" not in why.text for why in decision.whys.values())
    line = sorted(state.waiting, key=lambda run: (-run.priority, run.rank, run.id))
    assert decision.order == tuple(run.id for run in line)


def may_start(run: Waiting, state: QueueState) -> None:
    assert not run.is_held
    for parent in run.parents:
        good = {RunStatus.COMPLETED}
        good |= set() if parent.must_complete else {RunStatus.FAILED, RunStatus.CANCELLED}
        assert parent.status in good
    assert run.not_before is None or run.not_before <= state.now
    assert run.window is None or state.windows[run.window].is_open
    for name in (run.group, "*"):
        assert name not in state.groups or not state.groups[name].is_paused


def gets_what_it_needs(needs: Needs, place: Placement, machine: Machine) -> None:
    assert place.memory_bytes == needs.memory_bytes
    if needs.device == "cpu":
        assert (place.gpus, place.slots) == ((), min(needs.threads, machine.slots))
    else:
        assert (len(set(place.gpus)), place.slots) == (needs.gpus, 0)
        assert place.shares == (needs.shares and needs.memory_bytes is not None)


def limits_are_kept(machine: Machine, placed: list[tuple[str, Placement]], new: set[str]) -> None:
    """Slots and devices are never given twice; memory, which others may take at any time, not by a start."""
    on_cpu = [(run_id, place) for run_id, place in placed if not place.gpus]
    assert sum(place.slots for _, place in on_cpu) <= machine.slots
    if any(run_id in new and place.memory_bytes for run_id, place in on_cpu):
        ram = sum(place.memory_bytes or 0 for _, place in on_cpu)
        assert ram + machine.ram_foreign_bytes <= machine.ram_bytes
    for gpu in machine.gpus:
        here = [(run_id, place) for run_id, place in placed if gpu.uuid in place.gpus]
        if not any(run_id in new for run_id, _ in here):
            continue
        foreign = sum(used for _, used in gpu.foreign)
        assert len(here) == 1 or all(place.shares for _, place in here)
        assert sum(place.memory_bytes or 0 for _, place in here) + foreign <= gpu.memory_bytes
        assert foreign <= 10**9 or all(place.memory_bytes is not None for _, place in here)


def groups_are_kept(state: QueueState, decision: Decision) -> None:
    group_of = {run.id: run.group for run in (*state.waiting, *state.running)}
    new = [group_of[start.run_id] for start in decision.starts]
    running = Counter([run.group for run in state.running] + new)
    running["*"] = len(state.running) + len(new)
    for name, group in state.groups.items():
        if group.most_running is not None and (name in new or name == "*"):
            assert running[name] <= group.most_running


def only_lower_priorities_go_aside(state: QueueState, decision: Decision) -> None:
    running = {run.id: run for run in state.running}
    waiting = {run.id: run for run in state.waiting}
    starts = {start.run_id for start in decision.starts}
    for gone in decision.go_aside:
        other = running[gone.run_id]
        assert not other.leaving
        if gone.why is PausedFor.WINDOW:
            assert other.window is not None
            assert not state.windows[other.window].is_open
        else:
            asks = waiting[gone.for_run or ""]
            assert asks.preempts
            assert other.priority < asks.priority
            # It has its place at once where what was kept of it goes to who gets that of the other.
            assert asks.id in starts or decision.whys[asks.id].code is WaitCode.PREEMPTING


def nobody_is_overtaken(state: QueueState, decision: Decision) -> None:
    """Beside what has started behind it, a run would have its place if all that ran before had ended."""
    place_in_line = {run_id: place for place, run_id in enumerate(decision.order)}
    waiting = {run.id: run for run in state.waiting}
    for run_id, why in decision.whys.items():
        if not is_for_room(why) or not could_run(waiting[run_id].needs, state.machine):
            continue
        behind = [
            start.placement
            for start in decision.starts
            if place_in_line[start.run_id] > place_in_line[run_id]
        ]
        assert fits_beside(waiting[run_id].needs, behind, state.machine), (run_id, why)


def could_run(needs: Needs, machine: Machine) -> bool:
    """Whether it could if none of ours ran."""
    return fits_beside(needs, [], machine)


def fits_beside(needs: Needs, placements: list[Placement], machine: Machine) -> bool:
    asked = needs.memory_bytes or 0
    if needs.device == "cpu":
        slots = sum(place.slots for place in placements)
        ram = sum(place.memory_bytes or 0 for place in placements if not place.gpus)
        ram_is_enough = not asked or ram + asked + machine.ram_foreign_bytes <= machine.ram_bytes
        return slots + min(needs.threads, machine.slots) <= machine.slots and ram_is_enough
    fitting = 0
    for gpu in machine.gpus:
        foreign = sum(used for _, used in gpu.foreign)
        is_free = not any(gpu.uuid in place.gpus for place in placements)
        if needs.memory_bytes is None:
            fitting += is_free and foreign <= 10**9
        else:
            fitting += is_free and asked + foreign <= gpu.memory_bytes
    return fitting >= needs.gpus


class Patience:
    """Whoever is the first to wait for a device has it at the latest when all have ended that ran when he became
    that, whatever comes behind him; and whoever waits for room only has his place in his group.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, set[tuple[str, float]]]] = {}
        self._for_room: set[str] = set()

    def check(self, state: QueueState, decision: Decision, *, is_disturbed: bool) -> None:
        """is_disturbed: not only have runs come and ended since the last time."""
        if is_disturbed:
            self._first, self._for_room = {}, set()
        waiting = {run.id: run for run in state.waiting}
        could = {run.id for run in state.waiting if could_run(run.needs, state.machine)}
        starts = {start.run_id for start in decision.starts}
        running = {(run.id, run.started_at) for run in state.running}
        before, self._first = self._first, {}
        for_room, self._for_room = self._for_room, set()
        somebody_started_ahead = False
        for run_id in decision.order:
            if run_id in starts:
                somebody_started_ahead = True
                continue
            why, device = decision.whys[run_id], waiting[run_id].needs.device
            if why.code is WaitCode.GROUP_FULL and run_id in for_room:
                assert somebody_started_ahead, f"run {run_id} has lost its place in its group"
            if not is_for_room(why) or run_id not in could:
                continue
            self._for_room.add(run_id)
            if device in self._first:
                continue
            others = running | {(start, state.now) for start in starts}
            if before.get(device, ("",))[0] == run_id and not somebody_started_ahead:
                others = before[device][1]
                assert others & running, f"run {run_id} was passed over"
            self._first[device] = (run_id, others)
