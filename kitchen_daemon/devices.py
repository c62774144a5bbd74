"""What there is to compute on, asked of the driver without starting CUDA."""

from __future__ import annotations

from dataclasses import dataclass

import pynvml


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver names it. memory_bytes: all of it; free_bytes: what nobody has of it now."""

    index: int
    name: str
    memory_bytes: int
    free_bytes: int


def gpus() -> list[Gpu]:
    """Every NVIDIA GPU, none where there is no driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    finally:
        pynvml.nvmlShutdown()


def has_gpu() -> bool:
    """Whether there is a GPU to train on."""
    return bool(gpus())


def _gpu(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    name = str(pynvml.nvmlDeviceGetName(handle))
    return Gpu(index, name, int(memory.total), int(memory.free))
