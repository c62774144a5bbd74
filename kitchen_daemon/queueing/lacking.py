"""Why there is no room for a run, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from kitchen_core.needs import Needs
from kitchen_daemon.models.queue import WaitCode
from kitchen_daemon.queueing import words
from kitchen_daemon.queueing.decisions import Why
from kitchen_daemon.queueing.gpu_rooms import GpuRoom
from kitchen_daemon.queueing.rooms import Room, has_share
from kitchen_daemon.queueing.states import Gpu, Machine


def why_never(needs: Needs, room: Room) -> Why | None:
    """Why a run could not start though none of ours ran: the machine is too small, or others are in the way."""
    if needs.device == "cpu":
        return _too_much_ram(needs, room.machine)
    if sum(gpu.could_hold(needs) for gpu in room.gpus) >= needs.gpus:
        return None
    return _too_large(needs, room.machine.gpus) or _others_in_the_way(needs, room.gpus)


def why_no_room(needs: Needs, room: Room) -> Why:
    """Why a run has no place in a room that it could have if our other runs were not there."""
    if room.is_all_kept(needs) or room.find(needs, kept_too=True):
        return why_not_yet(needs, room)
    return _cpu_taken(needs, room) if needs.device == "cpu" else _gpus_taken(needs, room)


def why_not_yet(needs: Needs, room: Room) -> Why:
    """Who is to have first what a run could have."""
    return _turn(room.keeper(needs))


@lru_cache
def _turn(keeper: str | None) -> Why:
    return Why(WaitCode.TURN, f"kept for {keeper}, which comes first")


def _too_much_ram(needs: Needs, machine: Machine) -> Why | None:
    asked = needs.memory_bytes or 0
    if machine.slots < 1:
        return Why(WaitCode.TOO_LARGE, "needs a CPU slot, the machine has none")
    if asked > machine.ram_bytes:
        has = words.size(machine.ram_bytes)
        return Why(WaitCode.TOO_LARGE, f"needs {words.size(asked)} of RAM, the machine has {has}")
    free = machine.ram_bytes - machine.ram_foreign_bytes
    if asked and asked > free:
        others = (words.OTHERS, machine.ram_foreign_bytes)
        return _memory(f"{words.size(asked)} of RAM", free, "", [others])
    return None


def _too_large(needs: Needs, gpus: Sequence[Gpu]) -> Why | None:
    if len(gpus) < needs.gpus:
        asked = "a GPU" if needs.gpus == 1 else f"{needs.gpus} GPUs"
        return Why(WaitCode.TOO_LARGE, f"needs {asked}, the machine has {len(gpus) or 'none'}")
    asked = needs.memory_bytes or 0
    large_enough = sum(gpu.memory_bytes >= asked for gpu in gpus)
    if large_enough >= needs.gpus:
        return None
    if needs.gpus == 1:
        largest = words.size(max(gpu.memory_bytes for gpu in gpus))
        text = f"needs {words.size(asked)} of a GPU, the largest has {largest}"
    else:
        has = large_enough or "none"
        text = f"needs {needs.gpus} GPUs with {words.size(asked)}, the machine has {has}"
    return Why(WaitCode.TOO_LARGE, text)


def _others_in_the_way(needs: Needs, gpus: Sequence[GpuRoom]) -> Why:
    could = [room for room in gpus if room.could_hold(needs)]
    asked = needs.memory_bytes
    in_the_way = [
        room for room in gpus if room not in could and room.gpu.memory_bytes >= (asked or 0)
    ]
    best = max(in_the_way, key=lambda room: room.unforeign_bytes)
    users = list(_foreign_users(best))
    on_it = f" on GPU {best.gpu.index}" if len(gpus) > 1 else ""
    if needs.gpus > 1:
        which = "for themselves" if asked is None else f"with {words.size(asked)} free"
        so_many = f"there {'is' if len(could) == 1 else 'are'} {len(could) or 'none'}"
        text = f"needs {needs.gpus} GPUs {which}, {so_many}: {words.uses(users)}{on_it}"
        return Why(WaitCode.MEMORY, text)
    if asked is None:
        text = f"needs a GPU that nobody else uses: {words.uses(users)}{on_it}"
        return Why(WaitCode.MEMORY, text)
    return _memory(words.size(asked), best.unforeign_bytes, on_it, users)


def _cpu_taken(needs: Needs, room: Room) -> Why:
    slots = min(needs.threads, room.machine.slots)
    if slots <= room.slots:
        others = (words.OTHERS, room.machine.ram_foreign_bytes)
        users = [(name, ram) for name, _, ram in room.cpu_users if ram]
        asked = f"{words.size(needs.memory_bytes or 0)} of RAM"
        return _memory(asked, room.ram_bytes, "", [*users, others])
    return _taken("CPU slot", slots, room.slots, room.machine.slots, [u[0] for u in room.cpu_users])


def _gpus_taken(needs: Needs, room: Room) -> Why:
    if has_share(needs):
        shared = [gpu for gpu in room.gpus if gpu.could_hold(needs) and not gpu.is_taken]
        if needs.gpus == 1 and shared:
            best = max(shared, key=lambda gpu: gpu.free_bytes)
            on_it = f" on GPU {best.gpu.index}" if len(room.gpus) > 1 else ""
            users = [*best.users, *_foreign_users(best)]
            return _memory(words.size(needs.memory_bytes or 0), best.free_bytes, on_it, users)
    asked = needs.memory_bytes or 0
    large_enough = [gpu for gpu in room.gpus if gpu.gpu.memory_bytes >= asked]
    kind = "GPU" if len(large_enough) == len(room.gpus) else f"GPU of {words.size(asked)}"
    free = [gpu for gpu in large_enough if gpu.can_hold(needs)]
    users = [name for gpu in large_enough if gpu not in free for name in _users(gpu)]
    return _taken(kind, needs.gpus, len(free), len(large_enough), users)


def _taken(thing: str, asked: int, free: int, there_are: int, users: Iterable[str]) -> Why:
    by = words.listed(list(dict.fromkeys(users)))
    things = thing.replace("GPU", "GPUs") if "GPU" in thing else f"{thing}s"
    if there_are == 1:
        text = f"the {thing} is taken, by {by}"
    elif free <= 0:
        text = f"all {there_are} {things} are taken, by {by}"
    else:
        is_free = f"{free} of {there_are} {'is' if free == 1 else 'are'} free"
        text = f"needs {asked} {things}, {is_free}: the others are taken, by {by}"
    return Why(WaitCode.DEVICE, text)


def _memory(asked: str, free: int, on_it: str, users: Iterable[tuple[str, int | None]]) -> Why:
    text = f"needs {asked}, {words.size(max(free, 0))} free{on_it}: {words.uses(users)}"
    return Why(WaitCode.MEMORY, text)


def _users(room: GpuRoom) -> list[str]:
    """Who has a GPU: ours, else the programs that are in the way."""
    return [name for name, _ in room.users] or [name for name, _ in _foreign_users(room)[:1]]


def _foreign_users(room: GpuRoom) -> list[tuple[str, int]]:
    foreign = sorted(room.gpu.foreign, key=lambda process: -process[1])
    return [(words.process(pid), used) for pid, used in foreign]
