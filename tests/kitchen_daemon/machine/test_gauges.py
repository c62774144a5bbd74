"""Gauges over minutes, on a clock that jumps; what they look at is real, but for the GPUs."""

import asyncio
import logging
import time

import psutil
import pytest

from kitchen_daemon.machine import gauges as module
from kitchen_daemon.machine.bounds import read_ram
from kitchen_daemon.machine.driver import Driver
from kitchen_daemon.machine.gauges import KEPT, Gauges
from tests.clock import Clock, on_fake_clock
from tests.doubles.nvml import GIB, GPU_IS_LOST, NOT_SUPPORTED


@pytest.fixture
def watched(monkeypatch, tmp_path):
    """Watches for a while, then says what was kept. meanwhile: what happens at its second."""

    def watch(seconds, meanwhile=()):
        async def main(clock: Clock):
            monkeypatch.setattr(time, "time", lambda: 1000 + clock.time)
            monkeypatch.setattr(module.asyncio, "to_thread", standing_still(clock))
            gauges = Gauges(Driver(lambda: clock.time), tmp_path)
            watching = asyncio.ensure_future(gauges.watch())
            for at, happens in meanwhile:
                await asyncio.sleep(at - clock.time)
                happens(clock)
            await asyncio.sleep(seconds - clock.time)
            watching.cancel()
            return gauges

        return on_fake_clock(main)

    return watch


def standing_still(clock: Clock):
    """A thread's work takes no time of the clock."""
    in_thread = asyncio.to_thread

    async def work(*args):
        clock.working = lambda: True
        try:
            return await in_thread(*args)
        finally:
            clock.working = lambda: False

    return work


def test_gauges_are_read_once_a_second(two_gpus, watched):
    kept = watched(9.5).histories()
    assert {len(values) for values in kept.values()} == {10}
    assert kept["gpu0/use"] == [0.37] * 10
    assert kept["gpu0/power_w"] == [215.5] * 10
    assert kept["gpu1/temperature_c"] == [30] * 10


def test_five_minutes_are_kept(two_gpus, watched):
    def heat(clock):
        two_gpus.gpus[0].heat = 80
        two_gpus.tell()

    kept = watched(400.5, [(350.5, heat)]).histories()["gpu0/temperature_c"]
    assert kept == [64] * (KEPT - 50) + [80] * 50


def test_use_is_a_part_of_one(two_gpus, watched):
    two_gpus.gpus[1].used = 20 * GIB
    two_gpus.tell()
    gauges = watched(2.5)
    kept = gauges.histories()
    assert kept["gpu1/memory"] == [0.25] * 3
    assert kept["cpu"][0] is None  # nothing to compare with
    for name in ("cpu", "ram", "disk"):
        assert all(0 <= value <= 1 for value in kept[name][1:])
    assert gauges.now().ram.total == read_ram().total
    assert gauges.now().at == 1002.0


def test_what_cant_be_read_is_none_not_zero(two_gpus, watched):
    two_gpus.fails["nvmlDeviceGetUtilizationRates", 0] = NOT_SUPPORTED
    two_gpus.tell()
    kept = watched(1.5).histories()
    assert kept["gpu0/use"] == [None, None]
    assert kept["gpu1/use"] == [0.0, 0.0]


def test_a_gpu_that_is_lost_has_no_values_from_then_on(two_gpus, watched):
    def lose(clock):
        two_gpus.fails["all", 0] = GPU_IS_LOST
        two_gpus.tell()

    kept = watched(4.5, [(2.5, lose)]).histories()
    assert kept["gpu0/power_w"] == [215.5, 215.5, 215.5, None, None]
    assert kept["gpu1/power_w"] == [0.0] * 5


def test_a_look_that_fails_leaves_a_gap_and_one_line(two_gpus, watched, monkeypatch, caplog):
    def fail(clock):
        monkeypatch.setattr(module, "read_ram", lambda: 1 / 0)

    def mend(clock):
        monkeypatch.setattr(module, "read_ram", read_ram)

    with caplog.at_level(logging.ERROR):
        kept = watched(6.5, [(1.5, fail), (4.5, mend)]).histories()["gpu0/use"]
    assert kept == [0.37, 0.37, None, None, None, 0.37, 0.37]
    assert len(caplog.records) == 1


def test_a_machine_that_slept_has_a_gap(two_gpus, watched, monkeypatch):
    def sleep(clock):
        monkeypatch.setattr(time, "time", lambda: 1060 + clock.time)

    kept = watched(3.5, [(1.5, sleep)]).histories()["gpu0/use"]
    assert kept == [0.37, 0.37, *[None] * 60, 0.37, 0.37]


def test_a_clock_that_is_set_back_loses_nothing(two_gpus, watched, monkeypatch):
    def set_back(clock):
        monkeypatch.setattr(time, "time", lambda: clock.time)

    assert watched(3.5, [(1.5, set_back)]).histories()["gpu0/use"] == [0.37] * 4


def test_a_disk_that_is_gone_has_no_gauge(nvml, tmp_path):
    assert Gauges(Driver(), tmp_path / "gone").now().values()["disk"] is None


def test_the_disk_is_the_homes(nvml, tmp_path):
    disk = Gauges(Driver(), tmp_path).now().disk
    assert disk is not None
    assert disk.total == psutil.disk_usage(str(tmp_path)).total
