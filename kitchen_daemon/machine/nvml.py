"""What the driver says of one device, through NVML, in our units. Nothing else imports pynvml.

Every function raises one of FAILED where the device doesn't answer; what a device merely has not is None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import pynvml

from kitchen_daemon.machine.bounds import read_ram

T = TypeVar("T")
Handle: TypeAlias = Any  # pynvml's own, a pointer
FAILED = (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError)
ABSENT = frozenset({pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED})
"""There is no driver, which is nothing wrong."""
RELOADED = frozenset({pynvml.NVML_ERROR_UNINITIALIZED, pynvml.NVML_ERROR_DRIVER_NOT_LOADED})
"""The connection is to a driver that is gone."""
_OLDER = (pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH)


class GpuProcess(NamedTuple):
    """A process that uses a GPU. memory_bytes: None where the driver hides it."""

    pid: int
    memory_bytes: int | None


class GpuGauges(NamedTuple):
    """What a GPU does now; None where the driver doesn't tell. use: 0 to 1."""

    use: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: float | None = None


def code(error: Exception) -> int | None:
    """NVML's number of what went wrong."""
    return getattr(error, "value", None)


def connect() -> list[Handle | Exception]:
    """The GPUs in the driver's order, or why one doesn't answer."""
    pynvml.nvmlInit()
    try:
        count = pynvml.nvmlDeviceGetCount()
    except FAILED:
        disconnect()
        raise
    found: list[Handle | Exception] = []
    for index in range(count):
        try:
            found += _parts(pynvml.nvmlDeviceGetHandleByIndex(index))
        except FAILED as error:
            found.append(error)
    return found


def disconnect() -> None:
    """Let the driver go, if it still is there."""
    _told(pynvml.nvmlShutdown)


def identity(handle: Handle) -> tuple[str, str]:
    """UUID and name."""
    return str(pynvml.nvmlDeviceGetUUID(handle)), str(pynvml.nvmlDeviceGetName(handle))


def memory(handle: Handle) -> tuple[int, int]:
    """Bytes that programs can have, and bytes that they have. A chip without memory of its own shares the machine's."""
    try:
        told: Any = pynvml.nvmlDeviceGetMemoryInfo(handle, pynvml.nvmlMemory_v2)
        return told.total - told.reserved, told.used
    except pynvml.NVMLError as error:
        if code(error) in _OLDER:
            told = pynvml.nvmlDeviceGetMemoryInfo(handle)
            return told.total, told.used
        if code(error) != pynvml.NVML_ERROR_NOT_SUPPORTED:
            raise
    ram = read_ram()
    return ram.total, ram.used


def processes(handle: Handle) -> tuple[GpuProcess, ...]:
    """Those that compute and those that draw; one that does both is counted once."""
    found: dict[int, int | None] = {}
    for ask in (
        pynvml.nvmlDeviceGetComputeRunningProcesses,
        pynvml.nvmlDeviceGetGraphicsRunningProcesses,
    ):
        for process in _told(ask, handle) or ():
            known = found.get(process.pid)
            found[process.pid] = process.usedGpuMemory if known is None else known
    return tuple(GpuProcess(pid, held) for pid, held in found.items())


def gauges(handle: Handle) -> GpuGauges:
    """What it does now."""
    use: Any = _told(pynvml.nvmlDeviceGetUtilizationRates, handle)
    return GpuGauges(
        None if use is None else use.gpu / 100,
        _thousandth(_told(pynvml.nvmlDeviceGetPowerUsage, handle)),
        _thousandth(_told(pynvml.nvmlDeviceGetEnforcedPowerLimit, handle)),
        _told(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
    )


def energy_j(handle: Handle) -> float | None:
    """Joules drawn since the driver was loaded."""
    return _thousandth(_told(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle))


def _parts(handle: Handle) -> list[Handle]:
    """A GPU whole, or the MIG devices that it is cut into: CUDA runs on those alone then."""
    mode = _told(pynvml.nvmlDeviceGetMigMode, handle)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return [handle]
    places = range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    found = [_told(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place) for place in places]
    return [part for part in found if part is not None]


def _told(ask: Callable[..., T], *args: Any) -> T | None:
    try:
        return ask(*args)
    except FAILED:
        return None


def _thousandth(value: int | None) -> float | None:
    return None if value is None else value / 1000
