"""The connection to the NVIDIA driver. It starts no CUDA."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import NamedTuple

from kitchen_daemon.machine import nvml
from kitchen_daemon.machine.nvml import GpuGauges, GpuProcess

ASK_AGAIN_S = 30.0
"""How long a driver that isn't there, or a GPU that was lost, is left alone."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or one MIG device. index: its place among them, that of `nvidia-smi` where none is cut into MIG
    devices. memory_bytes: what programs can have, used or not.
    """

    uuid: str
    index: int
    name: str
    memory_bytes: int
    memory_used_bytes: int
    processes: tuple[GpuProcess, ...]

    @property
    def free_bytes(self) -> int:
        """What nobody has of its memory now."""
        return max(self.memory_bytes - self.memory_used_bytes, 0)


class _Device(NamedTuple):
    place: int
    name: str
    handle: nvml.Handle


class Driver:
    """A connection that is made when first asked, kept, and made anew when the driver was loaded again or a GPU was
    lost. Any thread may ask. now: a clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = Lock()
        self._devices: dict[str, _Device] = {}
        self._is_connected = False
        self._connect_at: float | None = now()
        self._troubles: dict[str, str] = {}

    @property
    def troubles(self) -> list[str]:
        """What is wrong with the driver or a GPU, a line each. That there is no driver is not wrong."""
        return list(self._troubles.values())

    def gpus(self) -> list[Gpu]:
        """Every GPU that answers, and what uses it; none where there is no driver."""
        with self._lock:
            try:
                return list(self._read_all())
            except _Reloaded:
                self._connect_at = self._now()
            try:
                return list(self._read_all())
            except _Reloaded:
                return []

    def gauges(self, uuid: str) -> GpuGauges:
        """What a GPU does now."""
        with self._lock:
            device = self._connected().get(uuid)
            return nvml.gauges(device.handle) if device else GpuGauges()

    def energy_j(self, uuid: str) -> float | None:
        """Joules that a GPU has drawn since the driver was loaded; None where it doesn't count them."""
        with self._lock:
            device = self._connected().get(uuid)
            return nvml.energy_j(device.handle) if device else None

    def _read_all(self) -> Iterator[Gpu]:
        for uuid, (place, name, handle) in self._connected().items():
            try:
                yield Gpu(uuid, place, name, *nvml.memory(handle), nvml.processes(handle))
            except nvml.FAILED as error:
                if nvml.code(error) in nvml.RELOADED:
                    raise _Reloaded from None
                self._lost(place, error)

    def _connected(self) -> dict[str, _Device]:
        """The devices by UUID; asked for anew when it is time to."""
        if self._connect_at is None or self._now() < self._connect_at:
            return self._devices
        if self._is_connected:
            nvml.disconnect()
        self._devices, self._troubles = {}, {}
        self._is_connected, self._connect_at = False, None
        try:
            found = nvml.connect()
        except nvml.FAILED as error:
            self._connect_at = self._now() + ASK_AGAIN_S
            if nvml.code(error) not in nvml.ABSENT:
                self._troubles["driver"] = f"the NVIDIA driver does not answer: {error}"
            return self._devices
        self._is_connected = True
        for place, handle in enumerate(found):
            try:
                if isinstance(handle, Exception):
                    raise handle
                uuid, name = nvml.identity(handle)
                self._devices[uuid] = _Device(place, name, handle)
            except nvml.FAILED as error:
                self._lost(place, error)
        return self._devices

    def _lost(self, place: int, error: Exception) -> None:
        """Leave a GPU out until the connection is made anew."""
        self._troubles[f"gpu{place}"] = f"GPU {place} does not answer: {error}"
        if self._connect_at is None:
            self._connect_at = self._now() + ASK_AGAIN_S


class _Reloaded(Exception):  # noqa: N818 - named by the condition
    """The driver is not the one that was connected to."""


@cache
def driver() -> Driver:
    """The connection that this process keeps."""
    return Driver()


def gpus() -> list[Gpu]:
    """Every GPU that answers."""
    return driver().gpus()


def has_gpu() -> bool:
    """Whether there is a GPU to train on."""
    return bool(gpus())
