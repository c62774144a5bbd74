"""Energy over a stretch, from counters as the driver and the kernel have them."""

import pytest

from kitchen_daemon.machine import energy
from kitchen_daemon.machine.driver import Driver
from kitchen_daemon.machine.energy import cpu_meter, gpu_meter
from tests.doubles.nvml import NOT_SUPPORTED


def test_a_gpus_energy_is_what_its_counter_gained(two_gpus):
    two_gpus.gpus[0].energy = 5_000_000
    two_gpus.tell()
    meter = gpu_meter(["GPU-a"], Driver())
    assert meter.joules() == 0.0
    two_gpus.gpus[0].energy = 5_250_500
    two_gpus.tell()
    assert meter.joules() == 250.5
    assert meter.joules() == 250.5


def test_energy_of_several_gpus_is_added(two_gpus):
    meter = gpu_meter(["GPU-a", "GPU-b"], Driver())
    two_gpus.gpus[0].energy, two_gpus.gpus[1].energy = 1000, 2500
    two_gpus.tell()
    assert meter.joules() == 3.5


def test_a_gpu_that_does_not_count_has_no_energy(two_gpus):
    two_gpus.fails["nvmlDeviceGetTotalEnergyConsumption", 1] = NOT_SUPPORTED
    two_gpus.tell()
    assert gpu_meter(["GPU-a", "GPU-b"], Driver()).joules() is None
    assert gpu_meter([], Driver()).joules() is None


def test_energy_across_a_new_loading_of_the_driver_is_not_known(two_gpus):
    two_gpus.gpus[0].energy = 5000
    two_gpus.tell()
    meter = gpu_meter(["GPU-a"], Driver())
    two_gpus.gpus[0].energy = 1000  # counts from the loading
    two_gpus.tell()
    assert meter.joules() is None
    two_gpus.gpus[0].energy = 9000
    two_gpus.tell()
    assert meter.joules() is None


@pytest.fixture
def zones(tmp_path, monkeypatch):
    """Writes what the kernel has of each zone: name and microjoules."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)

    def write(**microjoules: int) -> None:
        for name, counted in microjoules.items():
            number = {"package_0": "0", "core": "0:0", "package_1": "1", "psys": "2"}[name]
            zone = tmp_path / f"intel-rapl:{number}"
            zone.mkdir(exist_ok=True)
            (zone / "name").write_text(name.replace("_", "-") + "\n")
            (zone / "energy_uj").write_text(f"{counted}\n")
            (zone / "max_energy_range_uj").write_text("262143328850\n")

    return write


def test_a_cpus_energy_is_that_of_its_packages_alone(zones):
    zones(package_0=1_000_000, package_1=7_000_000, core=0, psys=0)
    meter = cpu_meter()
    zones(package_0=3_500_000, package_1=8_000_000, core=2_000_000, psys=9_000_000)
    assert meter.joules() == 3.5


def test_a_counter_that_begins_again_is_followed(zones):
    zones(package_0=262_143_000_000)
    meter = cpu_meter()
    zones(package_0=1_671_150)
    assert meter.joules() == pytest.approx(2.0)
    zones(package_0=2_671_150)
    assert meter.joules() == pytest.approx(3.0)


def test_a_counter_that_only_root_may_read_gives_none(zones, tmp_path):
    zones(package_0=1)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # root reads whatever a mode says
    assert cpu_meter().joules() is None


def test_a_machine_without_counters_gives_none(zones):
    assert cpu_meter().joules() is None
