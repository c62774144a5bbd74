"""Manifests: which adapter serves which port, and with which options.

A manifest is TOML. What is asked for is found in this order, later over earlier: the defaults, the
named manifest (shipped, in `$KITCHEN_HOME/manifests`, or a path), and the run's own `PORT=ADAPTER`.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kitchen_core.adapters.no_secrets import secret_in
from kitchen_core.adapters.retry import RetryPolicy
from kitchen_core.train.naming import closest
from kitchen_core.train.ports.adapter import PORTS, Adapter

logger = logging.getLogger(__name__)

_GROUP = "crucible_kitchen.adapters"
_SHIPPED = Path(__file__).parent / "manifests"
_DEFAULTS = {
    "training_client": "torch_local",
    "dataset_reader": "local_files",
    "model_hub": "hugging_face",
    "dataset_hub": "hugging_face",
    "blob_store": "local_blobs",
    "python_bridge": "python_bridge",
    "llm": "openai",
}


class ManifestError(ValueError):
    """A manifest names something that there is not. The message says what, and the nearest that there is."""


class PortChoice(BaseModel):
    """One port's adapter; every other key is an option of that adapter."""

    model_config = ConfigDict(extra="allow", frozen=True)

    adapter: str

    @property
    def options(self) -> dict[str, Any]:
        """The adapter's options."""
        return dict(self.model_extra or {})


class Manifest(BaseModel):
    """Which adapter serves which port."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ports: dict[str, PortChoice] = Field(default_factory=dict)
    retry: RetryPolicy = Field(default_factory=RetryPolicy)


@cache
def find_adapters() -> Mapping[str, Adapter]:
    """Every installed adapter by name, found by entry point; one that can't be loaded is left out."""
    found: dict[str, Adapter] = {}
    for entry in entry_points(group=_GROUP):
        try:
            found[entry.name] = entry.load()
        except Exception:  # another package's code: the rest must work all the same
            logger.exception("the adapter %s can't be loaded", entry.name)
    return found


def manifest_names(home: Path) -> list[str]:
    """The manifests that can be asked for by name."""
    folders = (_SHIPPED, home / "manifests")
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml")})


def resolve_manifest(name: str, overrides: Mapping[str, str], home: Path) -> Manifest:
    """The manifest called `name` (or at that path), with `overrides` of port to adapter on top.

    An override of the adapter drops the options that were another adapter's. Raises ManifestError.
    """
    path = _find(name, home)
    manifest = _parse(path)
    choices = {port: PortChoice(adapter=adapter) for port, adapter in _DEFAULTS.items()}
    choices |= manifest.ports
    for port, adapter in overrides.items():
        if port not in choices or choices[port].adapter != adapter:
            choices[port] = PortChoice(adapter=adapter)
    for port, choice in choices.items():
        _check(port, choice, "" if port in overrides else f"{path}: ")
    return Manifest(ports=choices, retry=manifest.retry)


def check_manifest(manifest: Manifest) -> None:
    """Check that what a manifest names is installed here. Raises ManifestError."""
    for port, choice in manifest.ports.items():
        _check(port, choice, "")


def _find(name: str, home: Path) -> Path:
    if name.endswith(".toml") or "/" in name:
        path = Path(name).expanduser()
        if path.is_file():
            return path
        raise ManifestError(f"there is no manifest file {path}")
    for folder in (home / "manifests", _SHIPPED):
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    raise ManifestError(f"there is no manifest {name!r}{_nearest(name, manifest_names(home))}")


def _parse(path: Path) -> Manifest:
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: no valid TOML: {error}") from error
    except ValidationError as error:
        raise ManifestError(f"{path}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(map(str, problem["loc"]))
    if problem["type"] != "extra_forbidden":
        return f"{where}: {problem['msg']}"
    owner = RetryPolicy if problem["loc"][0] == "retry" else Manifest
    return f"unknown key {where}{_nearest(str(problem['loc'][-1]), owner.model_fields)}"


def _check(port: str, choice: PortChoice, where: str) -> None:
    """The port exists, and the adapter exists, serves it and knows the options. `where` begins the message."""
    if port not in PORTS:
        raise ManifestError(f"{where}there is no port {port!r}{_nearest(port, PORTS)}")
    adapters = find_adapters()
    found = adapters.get(choice.adapter)
    if found is None:
        raise ManifestError(
            f"{where}there is no adapter {choice.adapter!r} for {port}{_nearest(choice.adapter, adapters)}"
        )
    if port not in found.ports:
        serving = [name for name, other in adapters.items() if port in other.ports]
        raise ManifestError(
            f"{where}the adapter {choice.adapter} does not serve {port}; {', '.join(sorted(serving))} can"
        )
    for option in choice.options:
        if option not in found.options:
            raise ManifestError(
                f"{where}the adapter {choice.adapter} has no option {option!r}"
                f"{_nearest(option, found.options)}"
            )
    if secret := secret_in(choice.options):
        names = [*found.secrets, *found.optional_secrets]
        raise ManifestError(
            f"{where}{port}: {secret} looks like a key, and manifests are kept with runs; "
            f"put it into secrets.env{f' (as {names[0]} or its like)' if names else ''}"
        )


def _nearest(asked: str, known: Iterable[str]) -> str:
    """What the user may have meant, as the end of a sentence."""
    names = sorted(known)
    if close := closest(asked, names):
        return f"; did you mean {close!r}?"
    return f"; there is {', '.join(names)}" if names else "; it takes none"
