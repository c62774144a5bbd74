"""Whose a process is: of a run of ours, of somebody else, or not to be told."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import psutil

from kitchen_core.needs import Placement
from kitchen_daemon.machine.driver import Gpu


class Tenant(NamedTuple):
    """A run that has a worker: its process, and its place on the machine."""

    run: str
    pid: int
    placement: Placement


class Holding(NamedTuple):
    """What a process holds of a GPU's memory, None where that is hidden. pid None: which process is hidden too, for
    the driver may count in another namespace than ours. run: whose worker it is or comes from.
    """

    pid: int | None
    memory_bytes: int | None
    run: str | None = None


def holdings(gpu: Gpu, tenants: Sequence[Tenant]) -> list[Holding]:
    """A GPU's processes, and whose they are."""
    workers = {tenant.pid: tenant.run for tenant in tenants}
    return [
        Holding(pid if psutil.pid_exists(pid) else None, memory, _owner(pid, workers))
        for pid, memory in gpu.processes
    ]


def _owner(pid: int, workers: dict[int, str]) -> str | None:
    """The run whose worker a process is, was started by, or shares a session with: that outlives its parents."""
    try:
        line = (pid, os.getsid(pid), *(parent.pid for parent in psutil.Process(pid).parents()))
    except (OSError, psutil.Error):
        return None
    return next((workers[each] for each in line if each in workers), None)


def process_name(pid: int) -> str:
    """A process's name, empty where it is gone or another's namespace hides it."""
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return ""
