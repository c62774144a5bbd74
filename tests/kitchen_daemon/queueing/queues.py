"""Short ways to write a queue down. Its noon is that of Wednesday, 3 March 2027, in Berlin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from kitchen_core.needs import Needs, Placement
from kitchen_daemon.queueing.deciding import decide
from kitchen_daemon.queueing.decisions import Decision
from kitchen_daemon.queueing.states import (
    Gpu,
    GroupState,
    Machine,
    QueueState,
    Running,
    Waiting,
    WindowState,
)

BERLIN = ZoneInfo("Europe/Berlin")
GB = 10**9


def berlin(year: int, month: int, day: int, hour: int, minute: int = 0) -> float:
    """A moment by Berlin's clocks."""
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN).timestamp()


NOON = berlin(2027, 3, 3, 12)


def cpu(threads: int = 1, gb: float | None = None) -> Needs:
    return Needs(threads=threads, memory_bytes=None if gb is None else round(gb * GB))


def gpu(gb: float | None = None, *, gpus: int = 1, shares: bool = False) -> Needs:
    memory = None if gb is None else round(gb * GB)
    return Needs(device="cuda", gpus=gpus, memory_bytes=memory, shares=shares)


def waits(name: str, needs: Needs | None = None, **more: object) -> Waiting:
    """A waiting run, whose id is `id-NAME`."""
    return Waiting(f"id-{name}", name, needs or cpu(), **more)  # type: ignore[arg-type]


def on_cpu(name: str, slots: int = 1, gb: float | None = None, **more: object) -> Running:
    memory = None if gb is None else round(gb * GB)
    place = Placement(slots=slots, memory_bytes=memory)
    return Running(f"id-{name}", name, place, **more)  # type: ignore[arg-type]


def on_gpu(name: str, *indexes: int, share_gb: float | None = None, **more: object) -> Running:
    """A running run that has whole GPUs, or a share of each."""
    memory = None if share_gb is None else round(share_gb * GB)
    uuids = tuple(f"GPU-{index}" for index in indexes)
    place = Placement(gpus=uuids, memory_bytes=memory, shares=share_gb is not None)
    return Running(f"id-{name}", name, place, **more)  # type: ignore[arg-type]


def a_gpu(index: int, gb: float = 24, *foreign: tuple[int, float]) -> Gpu:
    used = tuple((pid, round(of * GB)) for pid, of in foreign)
    return Gpu(f"GPU-{index}", index, "some GPU", round(gb * GB), used)


def machine(*gpus: Gpu, slots: int = 8, ram_gb: float = 64, others_have_gb: float = 4) -> Machine:
    return Machine(slots, round(ram_gb * GB), round(others_have_gb * GB), gpus)


def a_queue(
    waiting: Sequence[Waiting],
    running: Sequence[Running] = (),
    on: Machine | None = None,
    *,
    now: float = NOON,
    windows: dict[str, WindowState] | None = None,
    groups: dict[str, GroupState] | None = None,
) -> QueueState:
    there = machine() if on is None else on
    return QueueState(now, tuple(waiting), tuple(running), there, windows or {}, groups or {})


def started(decision: Decision) -> list[str]:
    """The names of runs that start, in their order."""
    return [start.run_id.removeprefix("id-") for start in decision.starts]


def went_aside(decision: Decision) -> list[str]:
    return [gone.run_id.removeprefix("id-") for gone in decision.go_aside]


def reasons(*args: object, **more: object) -> dict[str, tuple[str, str]]:
    """Why each run of a queue waits: code and words, by name."""
    whys = decide(a_queue(*args, **more)).whys  # type: ignore[arg-type]
    return {run_id.removeprefix("id-"): (why.code, why.text) for run_id, why in whys.items()}
