"""How fast a device is thought to be before anything has run on it."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen_core.adapters.torch_local.costs.peaks import peak_flops
from kitchen_core.train.workload import Device, Method

MFU = 0.35
"""Share of a GPU's peak that training of a small model reaches."""

UNKNOWN_GPU_FLOPS = 50e12
CORE_FLOPS = 60e9
"""Of one thread in float32, at two thirds of what AVX2 gives at 2.8 GHz: 2 units x 8 numbers x 2 operations."""

MORE_THREADS = 0.85
"""What a further thread adds, of the first."""


@dataclass(frozen=True, slots=True)
class Speed:
    """flops: floating-point operations a second. bandwidth: bytes of memory a second. layer_s: what a layer
    takes in a pass however little there is to compute; decode_s: the same of a token a row; step_s: of a step.
    """

    flops: float
    bandwidth: float
    layer_s: float
    decode_s: float
    step_s: float
    notes: tuple[str, ...]


def speed_of(method: Method, device: Device) -> Speed:
    """The speed to begin with; measured steps correct it."""
    if method.device == "cuda":
        peak = peak_flops(device.name)
        flops = MFU * (peak or UNKNOWN_GPU_FLOPS)
        of = (
            f"{MFU:.0%} of the GPU's {peak / 1e12:.0f} TFLOP/s" if peak else "50 TFLOP/s of the GPU"
        )
        return Speed(flops, 5e11, 3e-4, 1.5e-4, 2e-3, (f"time: assumes {of}",))
    flops = CORE_FLOPS * (1 + MORE_THREADS * (method.threads - 1))
    note = f"time: assumes {flops / 1e9:.0f} GFLOP/s of {method.threads} CPU thread"
    note += "" if method.threads == 1 else "s"
    return Speed(flops, 8e9, 5e-4, 1.5e-4, 3e-3, (note,))
