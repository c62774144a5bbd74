"""The plan of the night, as clients see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kitchen_core.needs import Placement
from kitchen_daemon.models.schedules import NightPlan, PlannedRun, PlannedStretch
from kitchen_daemon.queueing import words
from kitchen_daemon.queueing.foretelling import Foretold, Night
from kitchen_daemon.queueing.states import Gpu, QueueState


class Origin(NamedTuple):
    """Where a run comes from. schedule: the name of the one that has yet to make it."""

    recipe: str
    schedule: str | None = None


def night_plan(
    state: QueueState, night: Night, origins: Mapping[str, Origin], until: float, assumed_s: float
) -> NightPlan:
    """The plan that was made of a state. origins: of every run in it, by id."""
    gpus = state.machine.gpus
    return NightPlan(
        made_at=state.now,
        until=until,
        runs=[_planned(told, origins[told.run.id], gpus) for told in night.runs],
        assumed=[told.run.name for told in night.runs if told.run.id in night.assumed],
        assumed_s=assumed_s,
    )


def device(placement: Placement, gpus: Sequence[Gpu]) -> str:
    """A place in words: `4 CPU slots`, `GPU 1`, `GPUs 0 and 1`, `6 GB of GPU 0`."""
    if not placement.gpus:
        return words.count(placement.slots, "CPU slot")
    indexes = {gpu.uuid: str(gpu.index) for gpu in gpus}
    names = [indexes.get(uuid, uuid) for uuid in placement.gpus]
    whole = f"{'GPU' if len(names) == 1 else 'GPUs'} {' and '.join(names)}"
    if placement.shares and placement.memory_bytes is not None:
        return f"{words.size(placement.memory_bytes)} of {whole}"
    return whole


def _planned(told: Foretold, origin: Origin, gpus: Sequence[Gpu]) -> PlannedRun:
    return PlannedRun(
        id=told.run.id if origin.schedule is None else None,
        name=told.run.name,
        recipe=origin.recipe,
        schedule=origin.schedule,
        priority=told.run.priority,
        stretches=[
            PlannedStretch(
                starts_at=stretch.starts_at,
                ends_at=stretch.ends_at,
                ends=stretch.ends,
                device=device(stretch.placement, gpus),
            )
            for stretch in told.stretches
        ],
        code=told.why.code if told.why is not None else None,
        reason=told.why.text if told.why is not None else None,
    )
