"""How much of the machine is ours to use: its CPUs and its RAM, less where a control group (a container, or a
service with limits) allows less.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
ZFS = Path("/proc/spl/kstat/zfs/arcstats")

_DROPPED = ("inactive_file", "active_file", "slab_reclaimable")
"""The page cache, and what the kernel itself caches."""


class Ram(NamedTuple):
    """RAM in bytes. available: what programs could have without swapping; the page cache is part of it."""

    total: int
    available: int

    @property
    def used(self) -> int:
        """What is not to be had."""
        return self.total - self.available


def count_cpus() -> int:
    """CPU cores that this process may use, whole ones of a quota, at least one."""
    allowed = len(os.sched_getaffinity(0))
    return max(1, min([allowed, *map(int, _quotas())]))


def read_ram() -> Ram:
    """The machine's RAM, or what a control group leaves of it."""
    memory = psutil.virtual_memory()
    ram = Ram(memory.total, min(memory.total, memory.available + _kept_by_zfs()))
    for limit, used in _memory_limits():
        total = min(ram.total, limit)
        ram = Ram(total, max(0, min(ram.available, limit - used, total)))
    return ram


def _quotas() -> Iterator[float]:
    """CPU cores' worth of time that each control group may take."""
    for folder in _folders("cpu"):
        match _words(folder / "cpu.max"):
            case [quota, period] if quota != "max":
                yield int(quota) / int(period)
        match _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us"):
            case [quota], [period] if int(quota) > 0:
                yield int(quota) / int(period)


def _memory_limits() -> Iterator[tuple[int, int]]:
    """Each control group's limit and what it uses of it, less what the kernel drops before anybody lacks memory."""
    for folder in _folders("memory"):
        for limit, used, of_all in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            match _words(folder / limit), _words(folder / used):
                case [most], [now] if most != "max":
                    stat = _numbers(folder / "memory.stat")
                    cache = sum(stat.get(of_all + name, 0) for name in _DROPPED)
                    yield int(most), max(0, int(now) - cache)


def _kept_by_zfs() -> int:
    """What ZFS caches beyond its least: it gives that back, though the kernel does not count it as available."""
    stat = _numbers(ZFS)
    return max(0, stat.get("size", 0) - stat.get("c_min", 0))


def _folders(controller: str) -> Iterator[Path]:
    """The control groups that this process is in, innermost first, of both versions. Inside a container the
    path may be the host's; the mount's root is ours then.
    """
    for line in _lines(MEMBERSHIP):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for mount in (CGROUPS / controllers, CGROUPS / controller) if controllers else (CGROUPS,):
            if mount.is_dir():
                here = mount / path.lstrip("/")
                yield from (each for each in (here, *here.parents) if each.is_relative_to(mount))
                break


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _numbers(file: Path) -> dict[str, int]:
    """A file with a name and its number a line; others of its lines are left out."""
    lines = [line.split() for line in _lines(file)]
    return {line[0]: int(line[-1]) for line in lines if len(line) > 1 and line[-1].isdecimal()}
