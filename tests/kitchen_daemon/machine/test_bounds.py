"""What control groups leave of the machine, with their files as the kernel writes them, of both versions."""

import os

import psutil
import pytest

from kitchen_daemon.machine import bounds
from kitchen_daemon.machine.bounds import count_cpus, read_ram

MIB = 2**20


@pytest.fixture
def cgroups(tmp_path, monkeypatch):
    """Writes the files of control groups, and which this process is in."""
    monkeypatch.setattr(bounds, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(bounds, "MEMBERSHIP", tmp_path / "cgroup")

    def write(membership: str, **files: str) -> None:
        (tmp_path / "cgroup").write_text(membership)
        for path, text in files.items():
            file = tmp_path / "fs" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    return write


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def test_without_control_groups_the_machine_is_ours(cgroups):
    assert count_cpus() == 8
    assert read_ram().total == psutil.virtual_memory().total


def test_a_quota_counts_in_whole_cpus(cgroups):
    cgroups("0::/\n", **{"cpu.max": "250000 100000\n"})
    assert count_cpus() == 2


def test_there_is_one_cpu_at_least(cgroups):
    cgroups("0::/\n", **{"cpu.max": "50000 100000\n"})
    assert count_cpus() == 1


def test_no_quota_is_no_bound(cgroups):
    cgroups("0::/\n", **{"cpu.max": "max 100000\n"})
    assert count_cpus() == 8


def test_the_narrowest_of_nested_groups_counts(cgroups):
    files = {"user/app/cpu.max": "max 100000\n", "user/cpu.max": "400000 100000\n"}
    cgroups("0::/user/app\n", **files)
    assert count_cpus() == 4


def test_a_quota_of_version_1_counts(cgroups):
    membership = (
        "4:memory:/docker/f00\n3:cpu,cpuacct:/docker/f00\n1:name=systemd:/docker/f00\n0::/\n"
    )
    files = {
        "cpu,cpuacct/cpu.cfs_quota_us": "300000\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "memory/memory.limit_in_bytes": f"{512 * MIB}\n",
        "memory/memory.usage_in_bytes": f"{300 * MIB}\n",
        "memory/memory.stat": f"cache 7\ntotal_inactive_file {100 * MIB}\n",
    }
    cgroups(
        membership, **files
    )  # in a container, whose root is the group that the host calls /docker/f00
    assert count_cpus() == 3
    assert read_ram() == (512 * MIB, 312 * MIB)


def test_memory_of_a_container_is_what_it_may_use(cgroups):
    files = {
        "memory.max": f"{512 * MIB}\n",
        "memory.current": f"{300 * MIB}\n",
        "memory.stat": f"anon {150 * MIB}\ninactive_file {100 * MIB}\nactive_file {50 * MIB}\n",
    }
    cgroups("0::/\n", **files)
    ram = read_ram()
    assert ram == (512 * MIB, 362 * MIB)  # the page cache is to be had, also what was read twice
    assert ram.used == 150 * MIB


def test_what_zfs_caches_beyond_its_least_is_to_be_had(tmp_path, monkeypatch):
    kept = tmp_path / "arcstats"
    kept.write_text(
        "9 1 0x01 147 39984 5 1\nname                            type data\n"
        f"size                            4    {300 * MIB}\n"
        f"c_min                           4    {100 * MIB}\n"
    )
    memory = psutil.virtual_memory()._replace(total=8192 * MIB, available=1000 * MIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(bounds, "MEMBERSHIP", tmp_path / "none")
    monkeypatch.setattr(bounds, "ZFS", kept)
    assert read_ram() == (8192 * MIB, 1200 * MIB)


def test_a_group_above_its_limit_has_nothing_left(cgroups):
    cgroups("0::/\n", **{"memory.max": f"{MIB}\n", "memory.current": f"{2 * MIB}\n"})
    assert read_ram() == (MIB, 0)


def test_a_limit_above_the_machine_is_no_bound(cgroups):
    cgroups("0::/\n", **{"memory.max": f"{2**60}\n", "memory.current": "0\n"})
    assert read_ram().total == psutil.virtual_memory().total
