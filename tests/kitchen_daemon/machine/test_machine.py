"""The machine as a real daemon shows it, with a driver's double."""

import os

import psutil
import pytest

from tests.doubles.nvml import GIB, GPU_IS_LOST, FakeDriver, FakeGpu
from tests.kitchen_daemon.support import running_daemon


@pytest.fixture(scope="module")
def fake(library, tmp_path_factory):
    """A driver with two GPUs, of which another program uses one."""
    driver = FakeDriver(tmp_path_factory.mktemp("driver") / "state", library)
    driver.gpus = [FakeGpu("GPU-a", used=14 * GIB, use=90, power=300_000), FakeGpu("GPU-b")]
    driver.processes = [(0, "compute", os.getpid(), 14 * GIB)]
    driver.tell()
    return driver


@pytest.fixture(scope="module")
def client(fake, tmp_path_factory):
    """Of a daemon that finds that driver as it would NVIDIA's."""
    home = tmp_path_factory.mktemp("kitchen")
    (home / "kitchen.toml").write_text("cpu_slots = 3\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fake.environment.items():
            patch.setenv(name, value)
        with running_daemon(home) as daemon:
            yield daemon.client


def test_the_machine_is_shown_whole(client):
    machine = client.machine()
    assert (machine.slots, machine.slots_taken) == (3, 0)
    assert machine.cpu_count == psutil.cpu_count()
    assert 0 < machine.ram_available_bytes < machine.ram_bytes
    assert machine.disk_free_bytes < machine.disk_bytes
    assert machine.interval_s == 1.0
    first, second = machine.gpus
    assert (first.uuid, first.index, first.use, first.power_w) == ("GPU-a", 0, 0.9, 300.0)
    assert (second.memory_bytes, second.memory_used_bytes) == (24 * GIB, 0)
    (user,) = first.processes
    assert (user.pid, user.memory_bytes, user.run) == (os.getpid(), 14 * GIB, None)
    assert user.name == psutil.Process().name()


def test_the_doctor_names_the_gpus_and_what_is_wrong(client, fake):
    def device():
        return next(check for check in client.doctor() if check.name == "device")

    seen = device()
    assert "NVIDIA GeForce RTX 4090 (24 GiB), NVIDIA GeForce RTX 4090 (24 GiB)" in seen.detail
    fake.fails["all", 1] = GPU_IS_LOST
    fake.tell()
    seen = device()
    assert not seen.ok
    assert seen.detail == "GPU 1 does not answer: GPU is lost; GPU 0 works"
    assert "nvidia-smi" in seen.hint
