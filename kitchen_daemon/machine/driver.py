"""The connection to the NVIDIA driver. It starts no CUDA."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

from kitchen_daemon.machine import nvml
from kitchen_daemon.machine.nvml import GpuGauges, GpuProcess

T = TypeVar("T")

PATIENCE_S = 15.0
"""How long a driver may take to answer. A healthy one takes ms, and several s to wake GPUs that nobody keeps awake."""

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
    lost. Any thread may ask, and has an answer within `patience_s`: a driver that hangs holds up one thread, which is
    this connection's own, and what is told meanwhile is what it said last. now: a clock in seconds.
    """

    def __init__(
        self, now: Callable[[], float] = time.monotonic, patience_s: float = PATIENCE_S
    ) -> None:
        self._now = now
        self._patience_s = patience_s
        self._thread = ThreadPoolExecutor(1, "driver")
        self._hanging: Future[Any] | None = None
        self._last: list[Gpu] = []
        self._devices: dict[str, _Device] = {}
        self._is_connected = False
        self._connect_at: float | None = now()
        self._troubles: dict[str, str] = {}

    @property
    def troubles(self) -> list[str]:
        """What is wrong with the driver or a GPU, a line each. That there is no driver is not wrong."""
        hangs = ["the NVIDIA driver hangs; a restart of the machine may be due"]
        return [*(hangs if self._hangs else []), *self._troubles.values()]

    def gpus(self) -> list[Gpu]:
        """Every GPU that answers, and what uses it; none where there is no driver."""
        self._last = self._answer(self._gpus, self._last)
        return self._last

    def gauges(self, uuid: str) -> GpuGauges:
        """What a GPU does now."""
        return self._answer(partial(self._of_device, uuid, nvml.gauges), None) or GpuGauges()

    def energy_j(self, uuid: str) -> float | None:
        """Joules that a GPU has drawn since the driver was loaded; None where it doesn't count them."""
        return self._answer(partial(self._of_device, uuid, nvml.energy_j), None)

    @property
    def _hangs(self) -> bool:
        return self._hanging is not None and not self._hanging.done()

    def _answer(self, ask: Callable[[], T], otherwise: T) -> T:
        """What the driver answers in its thread, one question at a time; `otherwise` while it hangs."""
        if self._hangs:
            return otherwise
        asked = self._thread.submit(ask)
        try:
            return asked.result(self._patience_s)
        except TimeoutError:
            if not asked.cancel():  # else it was waiting for its turn
                self._hanging = asked
            return otherwise

    def _of_device(self, uuid: str, ask: Callable[[nvml.Handle], T]) -> T | None:
        device = self._connected().get(uuid)
        return ask(device.handle) if device else None

    def _gpus(self) -> list[Gpu]:
        try:
            return list(self._read_all())
        except _Reloaded:
            self._connect_at = self._now()
        try:
            return list(self._read_all())
        except _Reloaded:
            return []

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
