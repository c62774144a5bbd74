"""Manifests: which adapter serves which port, and with which options.

A manifest is TOML. What is asked for is found in this order, later over earlier: the defaults, the
named manifest (shipped, in `$KITCHEN_HOME/manifests`, or a path), and the run's own `PORT=ADAPTER` and
`PORT.OPTION=VALUE`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kitchen_core.adapters.choices import ManifestError, PortChoice, check_port, checked, meant
from kitchen_core.adapters.retry import RetryPolicy
from kitchen_core.explaining import explain, shown

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


class Manifest(BaseModel):
    """Which adapter serves which port. A port that is absent is served by none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ports: dict[str, PortChoice] = Field(default_factory=dict)
    retry: RetryPolicy = Field(default_factory=RetryPolicy)


def manifest_names(home: Path) -> list[str]:
    """The manifests that can be asked for by name."""
    own = (home / "manifests").glob("*.toml")
    return sorted({path.stem for path in (*shipped_manifests(), *own)})


def shipped_manifests() -> list[Path]:
    """The files of the manifests that come with the kitchen."""
    return sorted(_SHIPPED.glob("*.toml"))


def resolve_manifest(name: str, overrides: Mapping[str, str], home: Path) -> Manifest:
    """The manifest called `name` (or at that path), with `overrides` on top: of a port the adapter, which
    drops the options that were another adapter's, and of `port.option` the option's value.

    Raises ManifestError.
    """
    path = _find(name, home)
    manifest = parse_manifest(path)
    choices = {port: PortChoice(adapter=adapter) for port, adapter in _DEFAULTS.items()}
    choices = _overridden(choices | manifest.ports, overrides)
    of_the_run = {key.partition(".")[0] for key in overrides}
    for port, choice in choices.items():
        try:
            choices[port] = checked(port, choice)
        except ManifestError as error:
            if port in of_the_run:
                raise
            raise ManifestError(f"{path}: {error}") from None
    return Manifest(ports=choices, retry=manifest.retry)


def check_manifest(manifest: Manifest) -> None:
    """Check that what a manifest names is installed here. Raises ManifestError."""
    for port, choice in manifest.ports.items():
        checked(port, choice)


def parse_manifest(path: Path) -> Manifest:
    """A manifest's file as it is written, whatever is installed. Raises ManifestError."""
    try:
        return Manifest.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: no valid TOML: {error}") from error
    except ValidationError as error:
        raise ManifestError(f"{path}: {_first_problem(error)}") from error


def _overridden(
    choices: Mapping[str, PortChoice], overrides: Mapping[str, str]
) -> dict[str, PortChoice]:
    chosen = dict(choices)
    for port, adapter in overrides.items():
        if "." not in port and (port not in chosen or chosen[port].adapter != adapter):
            chosen[port] = PortChoice(adapter=adapter)
    for key, value in overrides.items():
        port, dot, option = key.partition(".")
        if not dot:
            continue
        check_port(port)
        if port not in chosen:
            raise ManifestError(
                f"{key}: the manifest names no adapter for {port}; name one by --adapter {port}=NAME"
            )
        chosen[port] = chosen[port].with_options({option: value})
    return chosen


def _find(name: str, home: Path) -> Path:
    if name.endswith(".toml") or "/" in name:
        path = Path(name).expanduser()
        if path.is_file():
            return path
        raise ManifestError(f"there is no manifest file {path}")
    for folder in (home / "manifests", _SHIPPED):
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    raise ManifestError(f"there is no manifest {name!r}{meant(name, manifest_names(home))}")


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(map(str, problem["loc"]))
    table, _, rest = where.partition(".")
    match problem["type"]:
        case "extra_forbidden":
            owner = RetryPolicy if table == "retry" else Manifest
            return f"unknown key {where}{meant(str(problem['loc'][-1]), owner.model_fields)}"
        case "missing":
            port = rest.removesuffix(".adapter")
            return f'[ports.{port}] names no adapter; write adapter = "NAME" below it'
        case "model_type" if rest:
            given = shown(problem["input"])
            return f'{where}: given {given}, expected a table: [{where}] and adapter = "NAME"'
        case _:
            return explain(error)
