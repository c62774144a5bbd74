import pytest

from tests.doubles.nvml import GIB, FakeDriver, FakeGpu, compiled, installed


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The driver's library, compiled."""
    return compiled(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def nvml(library, tmp_path):
    """A driver that tells of nothing yet."""
    with installed(library, tmp_path / "driver") as fake:
        yield fake


@pytest.fixture
def two_gpus(nvml: FakeDriver) -> FakeDriver:
    """A driver with two GPUs that nobody uses."""
    nvml.gpus = [
        FakeGpu("GPU-a", total=24 * GIB, reserved=GIB // 2, use=37, power=215_500, heat=64),
        FakeGpu("GPU-b", name="NVIDIA H100 PCIe", total=80 * GIB, limit=350_000),
    ]
    nvml.tell()
    return nvml
