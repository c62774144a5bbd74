"""How busy the machine is: looked at once a second, and kept for five minutes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from kitchen_daemon.machine.bounds import Ram, read_ram
from kitchen_daemon.machine.driver import Driver, Gpu
from kitchen_daemon.machine.nvml import GpuGauges

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
KEPT = 300
"""Values of each gauge: five minutes. Five times that would still be small; nobody reads so far back."""


class Disk(NamedTuple):
    """The file system of the home, in bytes."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the machine. cpu_use: 0 to 1, since the look before. None: it could not be read."""

    at: float
    cpu_use: float | None
    ram: Ram
    disk: Disk | None
    gpus: tuple[tuple[Gpu, GpuGauges], ...]

    def values(self) -> dict[str, float | None]:
        """The gauges by name."""
        found = {"cpu": self.cpu_use, "ram": self.ram.used / self.ram.total, "disk": None}
        if self.disk is not None:
            found["disk"] = 1 - self.disk.free / self.disk.total
        for gpu, now in self.gpus:
            found[f"gpu{gpu.index}/use"] = now.use
            found[f"gpu{gpu.index}/memory"] = gpu.memory_used_bytes / gpu.memory_bytes
            found[f"gpu{gpu.index}/power_w"] = now.power_w
            found[f"gpu{gpu.index}/temperature_c"] = now.temperature_c
        return {name: _short(value) for name, value in found.items()}


class Gauges:
    """Watches one machine, and the disk of one folder."""

    def __init__(self, driver: Driver, folder: Path) -> None:
        self._driver = driver
        self._folder = folder
        self._last: Sample | None = None
        self._kept: deque[Mapping[str, float | None]] = deque(maxlen=KEPT)
        self._fails = False

    async def watch(self) -> None:
        """Look once a second until cancelled. The driver may take its time, so it is asked in a thread."""
        loop = asyncio.get_running_loop()
        psutil.cpu_percent()  # counts from here, for this thread
        while True:
            began = loop.time()
            try:
                cpu_use = psutil.cpu_percent() / 100 if self._last else None
                self._keep(await asyncio.to_thread(self._look, cpu_use))
                self._fails = False
            except Exception:  # a look that fails is left out
                if not self._fails:
                    logger.exception("the machine's gauges can't be read; trying every second")
                self._fails = True
            await asyncio.sleep(max(0.0, began + INTERVAL_S - loop.time()))

    def now(self) -> Sample:
        """The last look; one without the CPU's use where there was none yet."""
        return self._last or self._look(None)

    def histories(self) -> dict[str, list[float | None]]:
        """Each gauge's values, one every INTERVAL_S, oldest first; None where it could not be read."""
        kept = list(self._kept)
        names = dict.fromkeys(name for values in kept for name in values)
        return {name: [values.get(name) for values in kept] for name in names}

    def _look(self, cpu_use: float | None) -> Sample:
        gpus = tuple((gpu, self._driver.gauges(gpu.uuid)) for gpu in self._driver.gpus())
        return Sample(time.time(), cpu_use, read_ram(), _disk(self._folder), gpus)

    def _keep(self, sample: Sample) -> None:
        """Add to the histories, with nothing for the time that nobody looked: the machine slept, or looks failed."""
        if self._last is not None:
            missed = round((sample.at - self._last.at) / INTERVAL_S) - 1
            self._kept.extend({} for _ in range(min(missed, KEPT)))
        self._kept.append(sample.values())
        self._last = sample


def _short(value: float | None) -> float | None:
    """As much as a chart can show: five minutes of all gauges are sent every second to whoever looks."""
    return None if value is None else round(value, 3)


def _disk(folder: Path) -> Disk | None:
    try:
        usage = psutil.disk_usage(str(folder))
    except OSError:
        return None
    return Disk(usage.total, usage.free)
