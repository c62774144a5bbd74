"""What the machine computes on: precision, peak speed, memory."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager, nullcontext

import psutil
import torch

from kitchen_core.adapters.process_memory import peak_process_bytes
from kitchen_core.adapters.torch_local.costs.memory import PROCESS_BYTES
from kitchen_core.adapters.torch_local.costs.peaks import peak_flops
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import DeviceFacts


def choose_device(name: str) -> torch.device:
    """The device that a session asks for. Raises InvalidRequest where it isn't there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidRequest(
            "device is cuda, and this machine has no usable GPU", hint="Set device=cpu."
        )
    return torch.device(name)


def make_deterministic(device: torch.device) -> None:
    """Take from a GPU only what gives the same bytes every time; what can't raises. A CPU needs no
    asking.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS may reorder sums
        torch.use_deterministic_algorithms(True)


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 arithmetic on a GPU, the weights' own precision on a CPU."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def device_facts(device: torch.device) -> DeviceFacts:
    """Name, peak speed and memory of a device."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return DeviceFacts(properties.name, peak_flops(properties.name), properties.total_memory)
    name = platform.processor() or platform.machine()
    return DeviceFacts(name, None, psutil.virtual_memory().total)


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory held so far: what torch took on a GPU, on a CPU the whole process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_process_bytes()


def peak_memory_taken(device_name: str) -> int:
    """The most of the device's memory that this process has held so far: on a GPU what torch reserved there, and
    what CUDA itself takes.
    """
    if device_name != "cuda" or not torch.cuda.is_initialized():
        return peak_process_bytes()
    free, total = torch.cuda.mem_get_info()
    used = total - free  # by all processes, so it bounds what is CUDA's own here
    context = max(0, min(used - torch.cuda.memory_reserved(), PROCESS_BYTES["cuda"]))
    return torch.cuda.max_memory_reserved() + context
