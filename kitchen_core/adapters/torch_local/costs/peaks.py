"""What known GPUs compute at best."""

from __future__ import annotations

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


def peak_flops(name: str) -> float | None:
    """FLOP a second at best, by the name that the driver gives; None where we don't know."""
    words = name.replace("-", " ").split()
    if any(word in words for word in _PARTIAL):
        return None
    for known, tflops in _PEAK_TFLOPS:
        if f" {known} " in f" {' '.join(words)} ":
            return tflops * 1e12
    return None
