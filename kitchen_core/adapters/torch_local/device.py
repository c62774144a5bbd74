"""What the machine computes on: precision, peak speed, memory."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager, nullcontext

import psutil
import torch

from kitchen_core.adapters.process_memory import peak_process_bytes
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_core.train.types import DeviceFacts

_PEAK_TFLOPS = (
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.0),
    ("GH200", 989.0),
    ("H200 NVL", 835.0),
    ("H200", 989.0),
    ("H100", 989.0),
    ("B200", 2250.0),
    ("A100", 312.0),
    ("A800", 312.0),
    ("L40S", 362.0),
    ("L40", 181.0),
    ("RTX 6000 Ada", 364.0),
    ("RTX 5090", 209.5),
    ("RTX 4090 D", 147.0),
    ("RTX 4090", 165.2),
    ("RTX 4080 SUPER", 104.4),
    ("RTX 4080", 97.5),
    ("RTX 3090 Ti", 80.0),
    ("RTX 3090", 71.0),
    ("L4", 121.0),
    ("A10G", 70.0),
    ("A10", 125.0),
)
"""Dense bfloat16 tensor-core peaks, accumulated in float32, from NVIDIA's data sheets (theirs with
sparsity halved). The first name found in the device's own counts, so a longer one comes first.
"""
_PARTIAL = ("MIG", "Laptop", "Max-Q")
"""Names of devices that have not all of the chip, or not its clock."""


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


def peak_flops(name: str) -> float | None:
    """FLOP a second at best, by the name that the driver gives; None where we don't know."""
    words = name.replace("-", " ").split()
    if any(word in words for word in _PARTIAL):
        return None
    for known, tflops in _PEAK_TFLOPS:
        if f" {known} " in f" {' '.join(words)} ":
            return tflops * 1e12
    return None


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory held so far: what torch took on a GPU, on a CPU the whole process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_process_bytes()
