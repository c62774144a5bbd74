"""Energy that devices draw over a stretch of time. It is measured or it is None, never reckoned.

Counters belong to devices: what else runs on one is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kitchen_daemon.machine.driver import Driver, driver

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Counter:
    """Joules that a device has drawn, counted up from somewhere. wraps_j: where it begins again at 0; None: nowhere."""

    read: Callable[[], float | None]
    wraps_j: float | None = None


class EnergyMeter:
    """Adds up what counters count from now on. Ask at least every ten minutes: a CPU's counter begins again now and
    then, at full load after a quarter of an hour or more, and one round must not be missed.
    """

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters
        self._last = [counter.read() for counter in counters]
        self._used: float | None = 0.0 if counters else None

    def joules(self) -> float | None:
        """Joules since the meter was made; None from when a counter could not be read or began anew by itself."""
        for place, counter in enumerate(self._counters):
            now, before = counter.read(), self._last[place]
            self._last[place] = now
            step = _step(before, now, counter.wraps_j)
            self._used = None if self._used is None or step is None else self._used + step
        return self._used


def gpu_meter(uuids: Iterable[str], of: Driver | None = None) -> EnergyMeter:
    """A meter of GPUs, by UUID. MIG devices have no counter."""
    connection = of or driver()
    return EnergyMeter([Counter(lambda uuid=uuid: connection.energy_j(uuid)) for uuid in uuids])


def cpu_meter() -> EnergyMeter:
    """A meter of all CPU packages, by RAPL. Its counters are root's to read on most machines; then it has none.

    https://docs.kernel.org/power/powercap/powercap.html
    """
    zones = sorted(POWERCAP.glob("intel-rapl:*"))  # AMD's too
    packages = [zone for zone in zones if _text(zone / "name").startswith("package-")]
    return EnergyMeter([_package(zone) for zone in packages])


def _package(zone: Path) -> Counter:
    return Counter(lambda: _joules(zone / "energy_uj"), _joules(zone / "max_energy_range_uj"))


def _step(before: float | None, now: float | None, wraps_j: float | None) -> float | None:
    if before is None or now is None:
        return None
    if now >= before:
        return now - before
    return None if wraps_j is None else now + wraps_j - before


def _joules(file: Path) -> float | None:
    text = _text(file)
    return int(text) / 1e6 if text.isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
