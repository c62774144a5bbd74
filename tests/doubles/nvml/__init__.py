"""A double of the NVIDIA driver: a real `libnvidia-ml.so.1`, compiled from nvml.c, that tells what stands in a file."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pynvml
import pytest

GIB = 2**30
HIDDEN = -1
STATE = "NVML_DOUBLE"
NOT_SUPPORTED = pynvml.NVML_ERROR_NOT_SUPPORTED
FUNCTION_NOT_FOUND = pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
GPU_IS_LOST = pynvml.NVML_ERROR_GPU_IS_LOST
DRIVER_NOT_LOADED = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
UNKNOWN = pynvml.NVML_ERROR_UNKNOWN


@dataclass
class FakeGpu:
    """A GPU in NVML's units: bytes, percent, milliwatts, millijoules. parent: whose MIG device it is."""

    uuid: str
    name: str = "NVIDIA GeForce RTX 4090"
    total: int = 24 * GIB
    reserved: int = 0
    used: int = 0
    use: int = 0
    power: int = 0
    limit: int = 450_000
    heat: int = 30
    energy: int = 0
    parent: int = -1


@dataclass
class FakeDriver:
    """What the driver tells, from the next `tell` on. fails: (function, GPU or -1 for each) to NVML's error."""

    state: Path
    library: Path
    code: int = 0
    loaded: int = 1
    gpus: list[FakeGpu] = field(default_factory=list)
    processes: list[tuple[int, str, int, int]] = field(default_factory=list)
    fails: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find this driver."""
        return {"LD_LIBRARY_PATH": str(self.library.parent), STATE: str(self.state)}

    @property
    def connections(self) -> int:
        """How often this process is connected."""
        return ctypes.CDLL(str(self.library)).nvmlDoubleConnections()

    def tell(self) -> None:
        """Let it be so."""
        lines = [f"driver {self.code} {self.loaded}"]
        for g in self.gpus:
            numbers = (g.parent, g.total, g.reserved, g.used, g.use, g.power, g.limit, g.heat)
            lines.append(" ".join(map(str, ("gpu", *numbers, g.energy, g.uuid, g.name))))
        lines += [" ".join(map(str, ("process", *each))) for each in self.processes]
        lines += [f"fails {name} {gpu} {code}" for (name, gpu), code in self.fails.items()]
        written = self.state.with_suffix(".tmp")
        written.write_text("\n".join(lines) + "\n")
        written.replace(self.state)


def compiled(folder: Path) -> Path:
    """The library; skips the test where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = folder / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@contextmanager
def installed(library: Path, state: Path) -> Iterator[FakeDriver]:
    """Let this process's NVML be the double. It tells of no driver until told to."""
    before = pynvml.nvmlLib, dict(pynvml._nvmlGetFunctionPointer_cache), os.environ.get(STATE)
    os.environ[STATE] = str(state)
    _use(ctypes.CDLL(str(library)), {})
    try:
        yield FakeDriver(state, library)
    finally:
        _use(before[0], before[1])
        os.environ.pop(STATE)
        if before[2] is not None:
            os.environ[STATE] = before[2]


def _use(library: ctypes.CDLL | None, functions: dict[str, object]) -> None:
    pynvml.nvmlLib = library
    pynvml._nvmlGetFunctionPointer_cache.clear()
    pynvml._nvmlGetFunctionPointer_cache.update(functions)
