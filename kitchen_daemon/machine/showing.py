"""The machine as the API shows it."""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from kitchen_daemon.machine.bounds import count_cpus
from kitchen_daemon.machine.driver import Gpu
from kitchen_daemon.machine.gauges import INTERVAL_S, Gauges
from kitchen_daemon.machine.nvml import GpuGauges
from kitchen_daemon.machine.tenants import Tenant, holdings, process_name
from kitchen_daemon.models import DeviceProcess, GpuInfo, MachineInfo
from kitchen_daemon.settings import Settings


def machine_info(gauges: Gauges, settings: Settings, tenants: Sequence[Tenant]) -> MachineInfo:
    """What the gauges last said, and who has which place."""
    sample = gauges.now()
    return MachineInfo(
        at=sample.at,
        slots=settings.cpu_slots or count_cpus(),
        slots_taken=sum(tenant.placement.slots for tenant in tenants),
        cpu_count=psutil.cpu_count() or 1,
        cpu_use=sample.cpu_use,
        ram_bytes=sample.ram.total,
        ram_available_bytes=sample.ram.available,
        disk_bytes=sample.disk.total if sample.disk else None,
        disk_free_bytes=sample.disk.free if sample.disk else None,
        gpus=[_gpu(gpu, now, tenants) for gpu, now in sample.gpus],
        interval_s=INTERVAL_S,
        histories=gauges.histories(),
    )


def _gpu(gpu: Gpu, now: GpuGauges, tenants: Sequence[Tenant]) -> GpuInfo:
    runs = {process.pid: process.run for process in holdings(gpu, tenants)}
    return GpuInfo(
        uuid=gpu.uuid,
        index=gpu.index,
        name=gpu.name,
        memory_bytes=gpu.memory_bytes,
        memory_used_bytes=gpu.memory_used_bytes,
        use=now.use,
        power_w=now.power_w,
        power_limit_w=now.power_limit_w,
        temperature_c=now.temperature_c,
        processes=[
            DeviceProcess(pid=pid, name=process_name(pid), memory_bytes=memory, run=runs.get(pid))
            for pid, memory in gpu.processes
        ],
        runs=[tenant.run for tenant in tenants if gpu.uuid in tenant.placement.gpus],
    )
