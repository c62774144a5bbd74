"""The connection to the driver, to a real library that tells what the test writes down."""

import os

import pytest

from kitchen_daemon.machine.bounds import Ram
from kitchen_daemon.machine.driver import ASK_AGAIN_S, Driver
from kitchen_daemon.machine.nvml import GpuGauges, GpuProcess
from tests.doubles.nvml import (
    DRIVER_NOT_LOADED,
    FUNCTION_NOT_FOUND,
    GIB,
    GPU_IS_LOST,
    HIDDEN,
    NOT_SUPPORTED,
    UNKNOWN,
    FakeGpu,
)


class Hours:
    """A clock that stands still until it is put on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Hours()


@pytest.fixture
def driver(clock):
    return Driver(clock)


def uuids(driver: Driver) -> list[str]:
    return [gpu.uuid for gpu in driver.gpus()]


def test_gpus_are_told_as_the_driver_tells_them(two_gpus, driver):
    first, second = driver.gpus()
    assert (first.uuid, first.index, first.name) == ("GPU-a", 0, "NVIDIA GeForce RTX 4090")
    assert (second.uuid, second.index, second.name) == ("GPU-b", 1, "NVIDIA H100 PCIe")
    assert second.memory_bytes == 80 * GIB
    assert driver.troubles == []


def test_what_the_driver_keeps_is_not_to_be_had(two_gpus, driver):
    two_gpus.gpus[0].used = 3 * GIB
    two_gpus.tell()
    gpu = driver.gpus()[0]
    assert gpu.memory_bytes == 24 * GIB - GIB // 2
    assert gpu.memory_used_bytes == 3 * GIB


def test_an_older_driver_counts_what_it_keeps_as_used(two_gpus, driver):
    two_gpus.fails["nvmlDeviceGetMemoryInfo_v2", -1] = FUNCTION_NOT_FOUND
    two_gpus.tell()
    gpu = driver.gpus()[0]
    assert (gpu.memory_bytes, gpu.memory_used_bytes) == (24 * GIB, GIB // 2)


def test_a_chip_without_memory_of_its_own_shares_the_machines(two_gpus, driver, monkeypatch):
    two_gpus.fails["nvmlDeviceGetMemoryInfo_v2", 0] = NOT_SUPPORTED
    two_gpus.tell()
    monkeypatch.setattr("kitchen_daemon.machine.nvml.read_ram", lambda: Ram(128 * GIB, 100 * GIB))
    gpu = driver.gpus()[0]
    assert (gpu.memory_bytes, gpu.memory_used_bytes) == (128 * GIB, 28 * GIB)


def test_processes_that_compute_or_draw_are_counted_once(two_gpus, driver):
    two_gpus.processes = [
        (0, "compute", 812, 14 * GIB),
        (0, "compute", 900, HIDDEN),
        (0, "graphics", 812, 14 * GIB),
        (0, "graphics", 77, GIB),
    ]
    two_gpus.tell()
    first, second = driver.gpus()
    expected = {GpuProcess(812, 14 * GIB), GpuProcess(900, None), GpuProcess(77, GIB)}
    assert set(first.processes) == expected
    assert len(first.processes) == 3
    assert second.processes == ()


def test_gauges_are_in_watts_degrees_and_parts_of_one(two_gpus, driver):
    assert driver.gauges("GPU-a") == GpuGauges(0.37, 215.5, 450.0, 64)


def test_what_a_gpu_does_not_measure_is_none(two_gpus, driver):
    for function in ("UtilizationRates", "PowerUsage", "EnforcedPowerLimit", "Temperature"):
        two_gpus.fails[f"nvmlDeviceGet{function}", 0] = NOT_SUPPORTED
    two_gpus.fails["nvmlDeviceGetTotalEnergyConsumption", 0] = NOT_SUPPORTED
    two_gpus.fails["nvmlDeviceGetComputeRunningProcesses_v3", 0] = NOT_SUPPORTED
    two_gpus.tell()
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    assert driver.gauges("GPU-a") == GpuGauges(None, None, None, None)
    assert driver.gauges("GPU-b").power_limit_w == 350.0
    assert driver.energy_j("GPU-a") is None


def test_a_gpu_that_is_not_there_has_no_gauges(two_gpus, driver):
    assert driver.gauges("GPU-c") == GpuGauges()
    assert driver.energy_j("GPU-c") is None


def test_no_driver_is_nothing_wrong(nvml, driver):
    nvml.code = DRIVER_NOT_LOADED
    nvml.tell()
    assert driver.gpus() == []
    assert driver.troubles == []


def test_without_the_library_there_is_no_gpu(nvml, driver, monkeypatch):
    def not_found(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("pynvml.nvmlLib", None)
    monkeypatch.setattr("pynvml.CDLL", not_found)
    assert driver.gpus() == []
    assert driver.troubles == []


def test_a_driver_that_comes_later_is_found(two_gpus, driver, clock):
    two_gpus.code = DRIVER_NOT_LOADED
    two_gpus.tell()
    assert driver.gpus() == []
    two_gpus.code = 0
    two_gpus.tell()
    assert driver.gpus() == []  # it is not asked at every turn
    clock.seconds += ASK_AGAIN_S
    assert uuids(driver) == ["GPU-a", "GPU-b"]


def test_the_connection_is_kept(two_gpus, driver, clock):
    before = two_gpus.connections
    for _ in range(5):
        driver.gpus()
        clock.seconds += 2 * ASK_AGAIN_S
    assert two_gpus.connections == before + 1


def test_a_driver_that_was_loaded_again_is_connected_to_at_once(two_gpus, driver):
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    before = two_gpus.connections
    two_gpus.loaded += 1
    two_gpus.gpus.pop()
    two_gpus.tell()
    assert uuids(driver) == ["GPU-a"]
    assert two_gpus.connections == before


def test_a_driver_that_is_unloaded_leaves_no_gpu(two_gpus, driver, clock):
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    two_gpus.code = DRIVER_NOT_LOADED
    two_gpus.tell()
    assert driver.gpus() == []
    two_gpus.code = 0
    two_gpus.loaded += 1
    two_gpus.tell()
    clock.seconds += ASK_AGAIN_S
    assert uuids(driver) == ["GPU-a", "GPU-b"]


def test_a_lost_gpu_leaves_the_others_their_places(two_gpus, driver, clock):
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    two_gpus.fails["all", 0] = GPU_IS_LOST
    two_gpus.tell()
    (left,) = driver.gpus()
    assert (left.uuid, left.index) == ("GPU-b", 1)
    assert driver.troubles == ["GPU 0 does not answer: GPU is lost"]
    clock.seconds += ASK_AGAIN_S  # the connection is made anew, and it is still lost
    assert [(gpu.uuid, gpu.index) for gpu in driver.gpus()] == [("GPU-b", 1)]
    assert driver.troubles == ["GPU 0 does not answer: GPU is lost"]


def test_a_lost_gpu_that_came_back_is_found(two_gpus, driver, clock):
    two_gpus.fails["all", 0] = GPU_IS_LOST
    two_gpus.tell()
    assert uuids(driver) == ["GPU-b"]
    two_gpus.fails.clear()
    two_gpus.tell()
    clock.seconds += ASK_AGAIN_S
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    assert driver.troubles == []


def test_a_driver_that_fails_says_so(two_gpus, driver):
    two_gpus.code = UNKNOWN
    two_gpus.tell()
    assert driver.gpus() == []
    assert driver.troubles == ["the NVIDIA driver does not answer: Unknown Error"]


def test_a_driver_that_cant_count_is_let_go(two_gpus, driver):
    before = two_gpus.connections
    two_gpus.fails["nvmlDeviceGetCount_v2", -1] = UNKNOWN
    two_gpus.tell()
    assert driver.gpus() == []
    assert driver.troubles == ["the NVIDIA driver does not answer: Unknown Error"]
    assert two_gpus.connections == before


def test_a_gpu_cut_into_mig_devices_is_those(nvml, driver):
    nvml.gpus = [
        FakeGpu("GPU-a", total=80 * GIB),
        FakeGpu("MIG-1", name="NVIDIA H100 MIG 1g.10gb", total=10 * GIB, used=GIB, parent=0),
        FakeGpu("MIG-2", name="NVIDIA H100 MIG 1g.10gb", total=10 * GIB, parent=0),
        FakeGpu("GPU-b"),
    ]
    nvml.processes = [(1, "compute", 812, GIB)]
    for function in ("UtilizationRates", "PowerUsage"):
        nvml.fails[f"nvmlDeviceGet{function}", 1] = NOT_SUPPORTED
    nvml.tell()
    found = driver.gpus()
    assert [(gpu.uuid, gpu.index) for gpu in found] == [("MIG-1", 0), ("MIG-2", 1), ("GPU-b", 2)]
    assert found[0].name == "NVIDIA H100 MIG 1g.10gb"
    assert found[0].processes == (GpuProcess(812, GIB),)
    assert driver.gauges("MIG-1").use is None


def test_energy_is_what_was_drawn_since_the_driver_was_loaded(two_gpus, driver):
    two_gpus.gpus[0].energy = 1_234_500
    two_gpus.tell()
    assert driver.energy_j("GPU-a") == 1234.5


def test_a_driver_that_hangs_holds_nobody_up(two_gpus, clock):
    driver = Driver(clock, patience_s=0.05)
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    told, hangs = two_gpus.state.read_bytes(), two_gpus.state.with_name("hangs")
    os.mkfifo(hangs)  # who reads it waits until somebody writes
    hangs.rename(two_gpus.state)
    assert uuids(driver) == ["GPU-a", "GPU-b"]
    assert driver.troubles == ["the NVIDIA driver hangs; a restart of the machine may be due"]
    assert driver.gauges("GPU-a") == GpuGauges()
    assert driver.energy_j("GPU-a") is None
    two_gpus.state.rename(hangs)
    two_gpus.state.write_bytes(told)
    hangs.write_bytes(told)
    driver._hanging.result(10)
    assert driver.gauges("GPU-a").use == 0.37
    assert driver.troubles == []
