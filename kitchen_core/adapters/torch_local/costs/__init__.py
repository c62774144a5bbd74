"""What a run costs here, by arithmetic alone: no torch, nothing allocated."""

from __future__ import annotations

from kitchen_core.adapters.torch_local.costs.memory import memory
from kitchen_core.adapters.torch_local.costs.speed import speed_of
from kitchen_core.adapters.torch_local.costs.time import other_seconds, seconds_of
from kitchen_core.train.workload import Costs, Device, Workload

__all__ = ["costs"]


def costs(load: Workload, device: Device) -> Costs:
    """Memory and time of a run on a device."""
    speed = speed_of(load.method, device)
    return Costs(
        memory=memory(load),
        seconds_a_step=seconds_of(load.step, load, speed),
        other_seconds=other_seconds(load, speed),
        notes=speed.notes,
    )
