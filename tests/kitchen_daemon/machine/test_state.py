"""The machine as the queue is told of it: a driver's double, and real processes."""

import os
import subprocess
import sys

import psutil
import pytest

from kitchen_core.needs import Placement
from kitchen_daemon.machine import state
from kitchen_daemon.machine.bounds import Ram
from kitchen_daemon.machine.driver import Driver
from kitchen_daemon.machine.state import machine_state
from kitchen_daemon.machine.tenants import Tenant, process_name
from kitchen_daemon.settings import Settings
from tests.doubles.nvml import GIB

MIB = 2**20
SETTINGS = Settings(ram_kept_free_bytes=0)
HOLDS_64_MIB = "held = bytearray(b'1') * (64 << 20)"
SPAWNS = """
import subprocess, sys
print(subprocess.Popen([sys.executable, "-c", "input()"]).pid)
"""
LEAVES_A_GRANDCHILD = """
import os, sys
if os.fork() == 0:
    pid = os.fork()
    if pid:
        print(pid, flush=True)
    else:
        sys.stdin.read()
    os._exit(0)
os.wait()
"""
FORKS_THREE = """
import os, sys
held = bytearray(b"1") * (64 << 20)
pids = []
for _ in range(3):
    pids.append(os.fork())
    if pids[-1] == 0:
        sys.stdin.read()
        os._exit(0)
print(*pids)
"""
ABSENT_PID = 2**22 + 1  # more than Linux gives


@pytest.fixture
def child():
    """Starts a Python that runs `code`, says a line when that is done, and lives until the test is over."""
    started = []

    def start(code: str = "", **options) -> subprocess.Popen[bytes]:
        said = f"{code}\nprint('done', flush=True); input()"
        process = subprocess.Popen(
            [sys.executable, "-c", said],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **options,
        )
        started.append(process)
        assert process.stdout
        process.first_line = process.stdout.readline()
        return process

    yield start
    for process in started:
        process.communicate()


def on_gpu(run: str, pid: int, uuid: str = "GPU-a", memory_bytes: int | None = None) -> Tenant:
    return Tenant(run, pid, Placement(gpus=(uuid,), memory_bytes=memory_bytes))


def on_cpu(run: str, pid: int, memory_bytes: int | None = None) -> Tenant:
    return Tenant(run, pid, Placement(slots=1, memory_bytes=memory_bytes))


@pytest.fixture
def used(monkeypatch):
    """Says how much RAM is in use: what a test can't hold still is the rest of the machine."""

    def say(bytes_used: int) -> None:
        monkeypatch.setattr(state, "read_ram", lambda: Ram(64 * GIB, 64 * GIB - bytes_used))

    return say


def test_slots_are_those_of_the_settings_or_the_cpus():
    assert machine_state(Driver(), Settings(cpu_slots=3), []).slots == 3
    assert machine_state(Driver(), Settings(), []).slots <= len(os.sched_getaffinity(0))


def test_a_strangers_process_is_foreign(two_gpus, child):
    stranger, worker = child(), child()
    two_gpus.gpus[0].used = 16 * GIB
    two_gpus.processes = [
        (0, "compute", stranger.pid, 14 * GIB),
        (0, "compute", worker.pid, 2 * GIB),
    ]
    two_gpus.tell()
    first, second = machine_state(Driver(), SETTINGS, [on_gpu("a", worker.pid)]).gpus
    assert first.foreign == ((stranger.pid, 14 * GIB),)
    assert (second.uuid, second.memory_bytes, second.foreign) == ("GPU-b", 80 * GIB, ())


def test_what_a_worker_started_is_ours(two_gpus, child):
    worker = child(SPAWNS)
    two_gpus.gpus[0].used = 2 * GIB
    two_gpus.processes = [(0, "compute", int(worker.first_line), 2 * GIB)]
    two_gpus.tell()
    assert machine_state(Driver(), SETTINGS, [on_gpu("a", worker.pid)]).gpus[0].foreign == ()


def test_what_outlived_its_parent_in_a_workers_session_is_ours(two_gpus, child):
    worker = child(LEAVES_A_GRANDCHILD, start_new_session=True)
    two_gpus.gpus[0].used = 2 * GIB
    two_gpus.processes = [(0, "compute", int(worker.first_line), 2 * GIB)]
    two_gpus.tell()
    assert machine_state(Driver(), SETTINGS, [on_gpu("a", worker.pid)]).gpus[0].foreign == ()


def test_hidden_processes_are_foreign_beyond_what_our_runs_hold(two_gpus):
    two_gpus.gpus[0].used = 12 * GIB
    two_gpus.processes = [(0, "compute", ABSENT_PID, 12 * GIB)]
    two_gpus.tell()
    tenant = on_gpu("a", os.getpid(), memory_bytes=9 * GIB)
    assert machine_state(Driver(), SETTINGS, [tenant]).gpus[0].foreign == ((0, 3 * GIB),)


def test_ram_of_a_run_on_the_cpu_is_ours(child, used):
    worker = child(HOLDS_64_MIB)
    used(10 * GIB)
    alone = machine_state(Driver(), SETTINGS, []).ram_foreign_bytes
    ours = machine_state(Driver(), SETTINGS, [on_cpu("a", worker.pid)]).ram_foreign_bytes
    assert alone == 10 * GIB
    assert 64 * MIB <= alone - ours <= 96 * MIB


def test_ram_beyond_a_runs_place_is_not_to_be_had(child, used):
    worker = child(HOLDS_64_MIB)
    used(10 * GIB)
    tenants = [on_cpu("a", worker.pid, memory_bytes=40 * MIB)]
    assert machine_state(Driver(), SETTINGS, tenants).ram_foreign_bytes == 10 * GIB - 40 * MIB


def test_ram_of_a_run_on_a_gpu_is_not_to_be_had(child, used):
    worker = child(HOLDS_64_MIB)
    used(10 * GIB)
    tenants = [on_gpu("a", worker.pid, memory_bytes=GIB)]
    assert machine_state(Driver(), SETTINGS, tenants).ram_foreign_bytes == 10 * GIB


def test_what_forked_workers_share_is_counted_once(child, used):
    server = child(FORKS_THREE)
    used(10 * GIB)
    tenants = [on_cpu(pid, int(pid)) for pid in server.first_line.decode().split()]
    left = machine_state(Driver(), SETTINGS, tenants, server.pid).ram_foreign_bytes
    assert 64 * MIB <= 10 * GIB - left <= 96 * MIB


def test_ours_is_never_more_than_what_is_used(child, used):
    worker = child(HOLDS_64_MIB)
    used(MIB)
    assert machine_state(Driver(), SETTINGS, [on_cpu("a", worker.pid)]).ram_foreign_bytes == 0


def test_ram_that_is_to_be_left_free_is_told_apart_from_what_others_use(used):
    used(10 * GIB)
    machine = machine_state(Driver(), Settings(ram_kept_free_bytes=2 * GIB), [])
    assert (machine.ram_foreign_bytes, machine.ram_kept_free_bytes) == (10 * GIB, 2 * GIB)


def test_a_worker_that_is_gone_holds_nothing(used):
    used(10 * GIB)
    tenants = [on_cpu("a", ABSENT_PID, GIB)]
    assert machine_state(Driver(), SETTINGS, tenants).ram_foreign_bytes == 10 * GIB


def test_a_process_has_its_name_while_it_is_there():
    assert process_name(os.getpid()) == psutil.Process().name()
    assert process_name(ABSENT_PID) == ""
