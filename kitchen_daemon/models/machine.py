"""The machine: devices, who uses them, and gauges with their short histories."""

from __future__ import annotations

from kitchen_daemon.models.base import Model


class DeviceProcess(Model):
    """A process that uses a GPU. run: whose worker it is, None where it is not the kitchen's."""

    pid: int
    name: str
    memory_bytes: int | None
    run: str | None


class GpuInfo(Model):
    """A GPU. use: 0 to 1. What the driver does not tell is None."""

    uuid: str
    index: int
    name: str
    memory_bytes: int
    memory_used_bytes: int
    use: float | None
    power_w: float | None
    power_limit_w: float | None
    temperature_c: float | None
    processes: list[DeviceProcess]
    runs: list[str]


class MachineInfo(Model):
    """The machine now, and its gauges' last minutes.

    slots and slots_taken: CPU slots that runs share. cpu_use: 0 to 1. histories: of a gauge its values, oldest
    first, one every interval_s seconds. Gauges: `cpu`, `ram`, `disk` and for each GPU `gpu0/use`, `gpu0/memory`,
    `gpu0/power_w`, `gpu0/temperature_c`; but for the last two, 0 to 1. What can't be read is None.
    """

    at: float
    slots: int
    slots_taken: int
    cpu_count: int
    cpu_use: float | None
    ram_bytes: int
    ram_available_bytes: int
    disk_bytes: int | None
    disk_free_bytes: int | None
    gpus: list[GpuInfo]
    interval_s: float
    histories: dict[str, list[float | None]]
