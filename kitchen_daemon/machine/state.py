"""The machine as the queue is told of it, read anew each time: what a run that has just ended held is free at once."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from kitchen_daemon.machine.bounds import count_cpus, read_ram
from kitchen_daemon.machine.driver import Driver, Gpu
from kitchen_daemon.machine.foreign import foreign_use
from kitchen_daemon.machine.tenants import Tenant, holdings
from kitchen_daemon.queueing import states
from kitchen_daemon.settings import Settings


def machine_state(
    driver: Driver, settings: Settings, tenants: Sequence[Tenant], fork_server: int | None = None
) -> states.Machine:
    """The machine now. tenants: every run that has a worker. fork_server: its pid, where one runs."""
    ram = read_ram()
    others = ram.used - min(ram.used, _ram_kept_for_runs(tenants, fork_server))
    return states.Machine(
        slots=settings.cpu_slots or count_cpus(),
        ram_bytes=ram.total,
        ram_foreign_bytes=others,
        gpus=tuple(_gpu(gpu, tenants) for gpu in driver.gpus()),
        ram_kept_free_bytes=settings.ram_kept_free_bytes,
    )


def _gpu(gpu: Gpu, tenants: Sequence[Tenant]) -> states.Gpu:
    there = [tenant for tenant in tenants if gpu.uuid in tenant.placement.gpus]
    foreign = foreign_use(gpu.memory_used_bytes, holdings(gpu, tenants), there)
    return states.Gpu(gpu.uuid, gpu.index, gpu.name, gpu.memory_bytes, foreign)


def _ram_kept_for_runs(tenants: Sequence[Tenant], fork_server: int | None) -> int:
    """RAM in use for which the queue has counted a place already: what runs on the CPU hold, each up to its place.

    What they hold beyond that is not to be had, like the RAM of runs on GPUs, whose place is a GPU's memory. Workers
    begin as copies of the fork server and share what it has imported; how much of that they still share would take
    long to find out, so all of it is taken for shared, and rather too little for theirs.
    """
    shared = _private_bytes(fork_server) if fork_server is not None else 0
    kept = shared
    for tenant in tenants:
        if not tenant.placement.gpus:
            own = max(0, _private_bytes(tenant.pid) - shared)
            place = tenant.placement.memory_bytes
            kept += own if place is None else min(own, place)
    return kept


def _private_bytes(pid: int) -> int:
    """Memory that a process holds and no file backs, which the kernel could drop; 0 when it is gone."""
    try:
        memory = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return max(0, memory.rss - memory.shared)
