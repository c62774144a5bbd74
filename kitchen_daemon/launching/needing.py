"""What a launch needs of the outside, tried before it is queued: without a network, and without
starting anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from kitchen_core.adapters.manifest import Manifest
from kitchen_core.adapters.readiness import check_ready
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.config import RefRole, refs_in
from kitchen_core.refs import parse_ref
from kitchen_core.store.records import RunRecord
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.workflows.reading import RecipeReading
from kitchen_daemon.launching.checking import read_apart


def try_ports(reading: RecipeReading, manifest: Manifest, secrets: Mapping[str, str]) -> None:
    """Check that all that the run will connect can be: it is installed, and its keys are there. What
    its settings ask for by name is connected. Raises a PortError, or RefError.
    """
    check_ready(manifest, _used_ports(reading), secrets)
    wiring = Wiring(manifest, secrets)
    for port in _asked_for(reading):
        wiring.connect(port)


def try_ports_of(run: RunRecord, recipe: Path, secrets: Mapping[str, str]) -> None:
    """The same for a run that is stored. recipe: its file in the revision that the run is pinned to. Raises
    RecipeError besides.
    """
    reading = read_apart(recipe)
    frozen = reading.model_copy(update={"resolved": reading.resolved | run.config})
    try_ports(frozen, Manifest.model_validate(run.wiring), secrets)


def _used_ports(reading: RecipeReading) -> list[PortName]:
    """The workflow's ports, but for those of settings that are left out, and what its refs are read by."""
    asked = set(_asked_for(reading))
    left_out = set(_named_by_settings(reading).values()) - asked
    used: dict[PortName, None] = {"training_client": None}  # a set that keeps its order
    used |= dict.fromkeys(port for port in reading.ports if port not in left_out)
    used |= dict.fromkeys(_reading_ports(refs_in(reading.resolved, reading.refs)))
    return list(used)


def _asked_for(reading: RecipeReading) -> list[PortName]:
    """The ports of settings that have a value."""
    named = _named_by_settings(reading)
    return [port for name, port in named.items() if reading.resolved[name] is not None]


def _named_by_settings(reading: RecipeReading) -> dict[str, PortName]:
    settings = reading.config_schema["properties"]
    return {name: field["port"] for name, field in settings.items() if "port" in field}


def _reading_ports(refs: Mapping[str, RefRole]) -> Iterator[PortName]:
    for text, role in refs.items():
        match parse_ref(text).kind, role:
            case "hf", "model":
                yield "model_hub"
            case "hf", "dataset":
                yield "dataset_hub"
            case "file", "dataset":
                yield "dataset_reader"
            case _:
                pass
