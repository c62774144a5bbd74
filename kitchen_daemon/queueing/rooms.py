"""The room that a machine has: CPU slots, RAM and GPUs, and what is taken or kept of them.

A room only gets smaller: runs take places in it, and runs that wait keep places from those behind them.
"""

from __future__ import annotations

from collections.abc import Iterable

from kitchen_core.needs import Needs, Placement
from kitchen_daemon.queueing.gpu_rooms import GpuRoom
from kitchen_daemon.queueing.states import Machine


class Room:
    """What there is of a machine, and what of it is left.

    slots: free ones, kept ones among them. cpu_users: of our runs name, slots and RAM.
    kept_for: the first run that CPU slots are kept for.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.slots = machine.slots
        self._ram_bytes = machine.ram_bytes - machine.ram_foreign_bytes
        self.cpu_users: list[tuple[str, int, int | None]] = []
        self.kept_slots = 0
        self.kept_ram_bytes = 0
        self.kept_for: str | None = None
        self.gpus = [GpuRoom(gpu) for gpu in machine.gpus]
        self._most_unkept_bytes = self._most_unkept()
        self._gpu_by_uuid = {room.gpu.uuid: room for room in self.gpus}

    @property
    def ram_bytes(self) -> int:
        """Free RAM, kept one among it. A run that would be alone may have all of it: nobody would be better off for
        its waiting.
        """
        return self._ram_bytes - (self.machine.ram_kept_free_bytes if self.cpu_users else 0)

    def find(self, needs: Needs, *, kept_too: bool = False) -> Placement | None:
        """A place for a run. kept_too: it may be one that is kept for others."""
        if not kept_too and self.is_all_kept(needs):
            return None
        if needs.device == "cpu":
            return self._find_slots(needs, kept_too)
        return self._find_gpus(needs, kept_too)

    def take(self, placement: Placement, run: str, started_at: float) -> None:
        """A run has its place there."""
        if not placement.gpus:
            self.slots -= placement.slots
            self._ram_bytes -= placement.memory_bytes or 0
            self.cpu_users.append((run, placement.slots, placement.memory_bytes))
        share = placement.memory_bytes if placement.shares else None
        for uuid in placement.gpus:
            if (gpu := self._gpu_by_uuid.get(uuid)) is not None:  # else it is there no more
                gpu.take(run, share, started_at)

    def keep(self, placement: Placement, run: str) -> bool:
        """Nobody else gets the place. Whether somebody else might have had it."""
        if not placement.gpus:
            had_slots = self.slots > self.kept_slots
            self.kept_slots += placement.slots
            self.kept_ram_bytes += placement.memory_bytes or 0
            self.kept_for = self.kept_for or run
            return had_slots
        gpus = [self._gpu_by_uuid[uuid] for uuid in placement.gpus]
        newly = [gpu for gpu in gpus if gpu.kept_for is None]
        for gpu in newly:
            gpu.kept_for = run
        if newly:
            self._most_unkept_bytes = self._most_unkept()
        return bool(newly)

    def is_all_kept(self, needs: Needs) -> bool:
        """Whether all that a run could have is kept for others."""
        if needs.device == "cpu":
            return self.kept_slots >= max(self.slots, 1)
        return (needs.memory_bytes or 0) > self._most_unkept_bytes

    def keeper(self, needs: Needs) -> str | None:
        """For whom what a run could have is kept: the first of them."""
        if needs.device == "cpu":
            return self.kept_for
        keepers = (gpu.kept_for for gpu in self.gpus if gpu.could_hold(needs))
        return next(filter(None, keepers), None)

    def to_wait_for(self, needs: Needs) -> Placement:
        """What a run that has no place now is to get as it becomes free.

        Of GPUs those that nobody waits for yet, and among them those that were joined longest ago. Nobody joins
        them from then on, so that a run has its place at the latest when all have ended that ran when it began to
        wait.
        """
        if needs.device == "cpu":
            return self._slots_for(needs)
        could_have = [gpu for gpu in self.gpus if gpu.could_hold(needs)]
        could_have.sort(key=GpuRoom.wait)
        return _on(could_have[: needs.gpus], needs)

    def _find_slots(self, needs: Needs, kept_too: bool) -> Placement | None:
        slots, ram = self.slots, self.ram_bytes
        if not kept_too:
            slots, ram = slots - self.kept_slots, ram - self.kept_ram_bytes
        if min(needs.threads, self.machine.slots) > slots:
            return None
        if needs.memory_bytes and needs.memory_bytes > ram:
            return None
        return self._slots_for(needs)

    def _slots_for(self, needs: Needs) -> Placement:
        slots = min(needs.threads, self.machine.slots)
        return Placement(slots=slots, memory_bytes=needs.memory_bytes)

    def _find_gpus(self, needs: Needs, kept_too: bool) -> Placement | None:
        fitting = [
            gpu for gpu in self.gpus if (kept_too or gpu.kept_for is None) and gpu.can_hold(needs)
        ]
        if len(fitting) < needs.gpus:
            return None
        # A share goes where it leaves the least, whole GPUs to those that have the most.
        sign = 1 if has_share(needs) else -1
        fitting.sort(key=lambda gpu: (sign * gpu.free_bytes, gpu.gpu.index))
        return _on(fitting[: needs.gpus], needs)

    def _most_unkept(self) -> int:
        unkept = (gpu.unforeign_bytes for gpu in self.gpus if gpu.kept_for is None)
        return max(unkept, default=-1)


def has_share(needs: Needs) -> bool:
    """Whether a run leaves the rest of its GPU to others; for that it has to be known what it takes."""
    return needs.shares and needs.memory_bytes is not None


def _on(gpus: Iterable[GpuRoom], needs: Needs) -> Placement:
    return Placement(
        gpus=tuple(room.gpu.uuid for room in gpus),
        memory_bytes=needs.memory_bytes,
        shares=has_share(needs),
    )
