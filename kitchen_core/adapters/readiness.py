"""Whether what a manifest names can work here, seen without connecting: what is installed, which keys
are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from kitchen_core.adapters.finding import find_adapters, missing_modules
from kitchen_core.adapters.manifest import Manifest, parse_manifest, shipped_manifests
from kitchen_core.train.ports.adapter import Adapter, PortName
from kitchen_core.train.ports.errors import AuthError, PortError, Unsupported


def check_ready(manifest: Manifest, ports: Iterable[PortName], secrets: Mapping[str, str]) -> None:
    """Raise the first PortError that `lacking` finds."""
    for port in ports:
        if (lack := lacking(manifest, port, secrets)) is not None:
            raise lack


def lacking(manifest: Manifest, port: PortName, secrets: Mapping[str, str]) -> PortError | None:
    """Why a port can't be connected: nothing serves it, a package is missing, or a key. None where it can.

    secrets: environment names to their values. None of the values is ever told.
    """
    choice = manifest.ports.get(port)
    if choice is None:
        return _unserved(port)
    found = find_adapters()
    adapter = found.by_name[choice.adapter]
    if missing := missing_modules(adapter):
        return Unsupported(
            f"{adapter.name} needs the package {' and '.join(missing)}, not installed here",
            port=port,
            adapter=adapter.name,
            hint=f"Install it: {found.install_command(adapter.name)}",
        )
    if unset := unset_secrets(adapter, secrets):
        return AuthError(
            f"{adapter.name} needs {' and '.join(unset)}, not set here",
            port=port,
            adapter=adapter.name,
            hint=f"Put {unset[0]}=... into secrets.env in the kitchen's home.",
        )
    return None


def unset_secrets(adapter: Adapter, secrets: Mapping[str, str]) -> list[str]:
    """The names that an adapter can't do without and that have no value."""
    return [name for name in adapter.secrets if not secrets.get(name)]


def _unserved(port: PortName) -> PortError:
    manifests, adapters = _shipped_with(port), find_adapters().serving(port)
    ways = [f"--manifest {' or '.join(manifests)}"] if manifests else []
    ways += [f"--adapter {port}={' or '.join(adapters)}"] if adapters else []
    return Unsupported(
        f"the manifest names no adapter for {port}",
        port=port,
        hint=f"Use {', or '.join(ways)}." if ways else "No installed adapter can serve it.",
    )


@cache
def _shipped_with(port: PortName) -> list[str]:
    """The shipped manifests in which something serves a port."""
    return [path.stem for path in shipped_manifests() if port in _ports_of(path)]


def _ports_of(path: Path) -> Iterable[str]:
    return parse_manifest(path).ports
