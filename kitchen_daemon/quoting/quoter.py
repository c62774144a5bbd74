"""Quoting a run: its models' shapes, a look at its data, the trainer's arithmetic, and what earlier runs teach."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest
from kitchen_core.refs import RefError
from kitchen_core.store.errors import NotFound
from kitchen_core.store.records import Formula, NewQuote
from kitchen_core.store.store import Store
from kitchen_core.train.ports.adapter import Adapter
from kitchen_core.train.ports.errors import PortError
from kitchen_core.train.workload import Costs, Device
from kitchen_daemon.machine.bounds import read_ram
from kitchen_daemon.machine.driver import gpus
from kitchen_daemon.models import MemoryPart, Quote
from kitchen_daemon.quoting.correcting import Correction, correction
from kitchen_daemon.quoting.looking import look
from kitchen_daemon.quoting.shapes import Shapes
from kitchen_daemon.quoting.workloads import KINDS, workload

logger = logging.getLogger(__name__)

LOOKED_BACK = 200
"""Earlier runs that a quote is corrected by."""

WATTS_A_CORE = 6.0
"""A server CPU's share of a core under load; a desktop's draws more."""

GPU_WATTS = 350.0
_UNKNOWN = "the model is not here yet; quoted when it has been fetched"


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote as it is shown, and as it is kept with the run."""

    shown: Quote
    kept: NewQuote


class Quoter:
    """Quotes runs of one home. cpu_watts: of the machine's CPU under full load; None: by its cores."""

    def __init__(self, store: Store, cpu_watts: float | None = None) -> None:
        self._store = store
        self._shapes = Shapes(store)
        self._cpu_watts = cpu_watts

    def quote(
        self, workflow: str, config: Mapping[str, Any], pins: Mapping[str, str], manifest: Manifest
    ) -> Quoted:
        """What a run with this frozen config takes. What nobody can tell is None; it never raises."""
        device = device_of(config)
        try:
            return self._quote(workflow, config, pins, manifest, device)
        except Exception:  # a quote must not stand in the way of a run that would work
            logger.exception("no quote for a run of %s", workflow)
            return _nothing(device, "no quote could be made; the daemon's log says why")

    def _quote(
        self,
        workflow: str,
        config: Mapping[str, Any],
        pins: Mapping[str, str],
        manifest: Manifest,
        device: Device,
    ) -> Quoted:
        trainer = find_adapters().by_name[manifest.ports["training_client"].adapter]
        kind = KINDS.get(workflow)
        if trainer.costs is None or kind is None:
            who = f"the workflow {workflow}" if kind is None else trainer.name
            return _nothing(device, f"{who} can't be quoted before it runs")
        try:
            models = self._shapes.of_run(config, pins, manifest)
        except (RefError, NotFound, PortError):  # of a run that has not completed, say
            models = None
        if models is None:
            return _nothing(device, _UNKNOWN)
        seen = look(config["dataset"], pins.get(config["dataset"], ""), kind, config["fields"])
        load, assumed = workload(workflow, config, seen, models)
        costs = trainer.costs(load, device)
        formula = Formula(
            device=device.name,
            memory_bytes=costs.memory_bytes,
            seconds_a_step=costs.seconds_a_step,
            other_seconds=costs.other_seconds,
        )
        earlier = self._store.measured_runs(workflow, LOOKED_BACK)
        corrected = correction(config, formula, earlier)
        return self._corrected(
            config, trainer, device, load.steps, costs, formula, corrected, assumed
        )

    def _corrected(
        self,
        config: Mapping[str, Any],
        trainer: Adapter,
        device: Device,
        steps: int,
        costs: Costs,
        formula: Formula,
        by: Correction,
        assumed: list[str],
    ) -> Quoted:
        a_step = _times(formula.seconds_a_step, by.seconds_a_step)
        other = _times(formula.other_seconds, by.other_seconds)
        seconds = None if a_step is None or other is None else steps * a_step + other
        measured = by.seconds_a_step is not None
        shown = Quote(
            device=_in_words(device, config),
            memory_bytes=_whole(_times(formula.memory_bytes, by.memory)),
            parts=_parts(costs, by.memory or 1.0),
            free_bytes=_free_bytes(config),
            steps=steps,
            seconds_a_step=a_step,
            seconds=seconds,
            energy_j=self._energy(config, seconds, by.watts) if trainer.offline else None,
            basis="measured" if measured else "formula",
            notes=[*assumed, *(() if measured else costs.notes)],
        )
        kept = NewQuote(
            **shown.model_dump(
                include={"memory_bytes", "steps", "seconds_a_step", "seconds", "energy_j", "basis"}
            ),
            formula=formula,
        )
        return Quoted(shown, kept)

    def _energy(
        self, config: Mapping[str, Any], seconds: float | None, drawn: float | None
    ) -> float | None:
        """drawn: watts, of an earlier run that was measured."""
        if seconds is None:
            return None
        if drawn is not None:
            return drawn * seconds
        if config["device"] == "cuda":
            return GPU_WATTS * seconds
        cores = os.cpu_count() or 1
        watts = self._cpu_watts or WATTS_A_CORE * cores
        return watts * min(1.0, config["threads"] / cores) * seconds


def device_of(config: Mapping[str, Any]) -> Device:
    """What a run computes on; of several GPUs the one with most memory."""
    if config["device"] == "cuda" and (found := gpus()):
        largest = max(found, key=lambda gpu: gpu.memory_bytes)
        return Device(largest.name, largest.memory_bytes)
    return Device(platform.processor() or platform.machine(), read_ram().total)


def _free_bytes(config: Mapping[str, Any]) -> int | None:
    if config["device"] == "cuda":
        return max((gpu.free_bytes for gpu in gpus()), default=None)
    return read_ram().available


def _nothing(device: Device, note: str) -> Quoted:
    nothing = Quote(
        device=device.name,
        memory_bytes=None,
        steps=None,
        seconds_a_step=None,
        seconds=None,
        energy_j=None,
        basis="formula",
        notes=[note],
    )
    return Quoted(nothing, NewQuote(basis="formula"))


def _in_words(device: Device, config: Mapping[str, Any]) -> str:
    if config["device"] == "cuda":
        return device.name
    return f"{device.name} CPU, {config['threads']} thread{'s' * (config['threads'] > 1)}"


def _parts(costs: Costs, factor: float) -> list[MemoryPart]:
    """They add up to the whole, the largest first; what is not in the arithmetic has a part of its own."""
    if costs.memory is None:
        return []
    whole = round((costs.memory_bytes or 0) * factor)
    parts = {name: size for name, size in costs.memory.items() if size}
    if (beyond := whole - sum(parts.values())) > 0:
        parts["measured beyond"] = beyond
    elif beyond:
        parts = {name: int(size * factor) for name, size in parts.items()}
        parts[next(iter(parts))] += whole - sum(parts.values())
    by_size = sorted(parts.items(), key=lambda part: -part[1])
    return [MemoryPart(name=name, bytes=size) for name, size in by_size]


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None else value * (factor or 1.0)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
