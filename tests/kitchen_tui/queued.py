"""Queues and machines to show, and what a view of them looks like."""

from __future__ import annotations

import io
import math
from typing import Any

from rich.console import Console, RenderableType

from kitchen_core.needs import Needs, Placement
from kitchen_core.telemetry.schema import RunStatus
from kitchen_daemon.models import (
    DeviceProcess,
    GpuInfo,
    GroupInfo,
    MachineInfo,
    QueueInfo,
    RunningInfo,
    WaitCode,
    WaitingInfo,
)

NAME = "a-rather-long-name-of-a-run"
REASONS = (
    (WaitCode.AFTER, "after sl_basic (1qnc00000000), which runs"),
    (WaitCode.MEMORY, "needs 9.4 GB of a GPU, 3.1 GB free: pid 812 uses 14 GB"),
    (
        WaitCode.TOO_LARGE,
        "needs 96 GB of a GPU; the largest here has 85.5 GB, of which 84 GB is to be had",
    ),
)


def waiting(place: int, **changes: Any) -> WaitingInfo:
    """A run that waits."""
    code, reason = REASONS[place % len(REASONS)]
    facts: dict[str, Any] = {
        "place": place,
        "id": f"1qnd{place:08d}",
        "name": (NAME, "dpo")[place % 2],
        "recipe": "dpo",
        "status": RunStatus.QUEUED,
        "code": code,
        "reason": reason,
        "priority": 0,
        "group": "main",
        "window": None,
        "not_before": None,
        "needs": Needs(),
        "seconds": None,
    }
    return WaitingInfo(**facts | changes)


def running(number: int, **changes: Any) -> RunningInfo:
    """A run that has a worker."""
    facts: dict[str, Any] = {
        "id": f"1qnc{number:08d}",
        "name": (NAME, "sl_basic")[number % 2],
        "recipe": "sl_basic",
        "priority": 0,
        "group": "main",
        "placement": Placement(slots=4),
        "step": 120,
        "total_steps": 500,
        "eta_s": 124.0,
        "leaving": None,
    }
    return RunningInfo(**facts | changes)


def queue(runs: int = 0, waits: int = 0, *, shown: int = 20, **changes: Any) -> QueueInfo:
    """A queue of so many runs."""
    facts: dict[str, Any] = {
        "is_paused": False,
        "running": [running(number) for number in range(runs)],
        "waiting": [waiting(place) for place in range(1, min(waits, shown) + 1)],
        "waiting_count": waits,
        "groups": [
            GroupInfo(name="main", most_running=None, is_paused=False, running=runs, waiting=waits)
        ],
    }
    return QueueInfo(**facts | changes)


def machine(gpus: int = 0) -> MachineInfo:
    """A machine with so many GPUs; the first has a worker and a program that is not ours."""
    wave = [0.5 + 0.5 * math.sin(at / 6) for at in range(120)]
    histories: dict[str, list[float | None]] = {"cpu": [*wave], "ram": [0.5] * 120, "disk": [0.9]}
    for index in range(gpus):
        histories[f"gpu{index}/use"] = [*wave]
        histories[f"gpu{index}/power_w"] = [700 * at for at in wave]
    return MachineInfo(
        at=1000.0,
        slots=16,
        slots_taken=4,
        cpu_count=16,
        cpu_use=0.42,
        ram_bytes=24 * 10**9,
        ram_available_bytes=9 * 10**9,
        disk_bytes=10**12,
        disk_free_bytes=7 * 10**10,
        gpus=[_gpu(index) for index in range(gpus)],
        interval_s=1.0,
        histories=histories,
    )


def _gpu(index: int) -> GpuInfo:
    ours = DeviceProcess(pid=811, name="python", memory_bytes=40 * 10**9, run="1qnc00000000")
    foreign = DeviceProcess(pid=812, name="/opt/x/render", memory_bytes=8 * 10**9, run=None)
    return GpuInfo(
        uuid=f"GPU-{index}",
        index=index,
        name="NVIDIA H100",
        memory_bytes=85 * 10**9,
        memory_used_bytes=48 * 10**9,
        use=0.97,
        power_w=523.4,
        power_limit_w=700.0,
        temperature_c=64.0,
        processes=[ours, foreign] if index == 0 else [],
        runs=["1qnc00000000"] if index == 0 else [],
    )


def console(width: int, height: int = 48) -> Console:
    """A console that keeps what it is told, without color."""
    return Console(
        file=io.StringIO(), width=width, height=height, markup=False, highlight=False, emoji=False
    )


def drawn(view: RenderableType, width: int) -> list[str]:
    """The lines of a view, without the white space at their ends."""
    paper = console(width)
    paper.print(view)
    assert isinstance(paper.file, io.StringIO)
    return [line.rstrip() for line in paper.file.getvalue().splitlines()]
