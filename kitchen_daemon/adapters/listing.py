"""What serves each port, and how it stands: installed, set up, reachable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kitchen_core.adapters.choices import meant
from kitchen_core.adapters.finding import find_adapters, missing_modules
from kitchen_core.adapters.manifest import Manifest, resolve_manifest
from kitchen_core.adapters.options import options_of
from kitchen_core.adapters.readiness import lacking
from kitchen_core.home import Home
from kitchen_core.train.ports.adapter import PORTS, Adapter, PortName
from kitchen_core.train.ports.errors import AuthError
from kitchen_daemon.adapters.probing import Asked, probe_all
from kitchen_daemon.apart import Apart
from kitchen_daemon.models import (
    GOOD,
    AdapterInfo,
    AdaptersInfo,
    BrokenInfo,
    OptionInfo,
    PortUse,
)
from kitchen_daemon.secrets import read_secrets

_NAMED_KEYS = 2
"""An adapter for many services has a key for each; nobody sets them all."""


class UnknownAdapter(LookupError):  # noqa: N818 - named by the condition
    """There is no adapter of that name, or it can't be used."""


def adapters_info(home: Home, name: str, *, ask: Apart | None = None) -> AdaptersInfo:
    """The ports of the manifest called `name`, without asking anybody unless `ask`. Raises ManifestError,
    UnsafeSecrets, UnreadableSecrets, or Stopping.
    """
    manifest = resolve_manifest(name, {}, home.root)
    ports = port_uses(manifest, read_secrets(home))
    if ask is not None:
        ports = _probed(ask, manifest, ports)
    return AdaptersInfo(manifest=name, ports=ports, broken=broken_adapters())


def port_uses(manifest: Manifest, secrets: Mapping[str, str]) -> list[PortUse]:
    """How each port stands, as far as can be seen without asking."""
    return [_use(manifest, port, secrets) for port in PORTS]


def broken_adapters() -> list[BrokenInfo]:
    """What is installed and can't be used."""
    return [
        BrokenInfo(name=each.name, origin=str(each.origin), reason=each.reason)
        for each in find_adapters().broken
    ]


def adapter_info(home: Home, name: str) -> AdapterInfo:
    """One adapter. Raises UnknownAdapter, UnsafeSecrets or UnreadableSecrets."""
    found = find_adapters()
    if (reason := found.why_broken(name)) is not None:
        raise UnknownAdapter(f"the adapter {name} can't be used: it {reason}")
    if name not in found.by_name:
        raise UnknownAdapter(f"there is no adapter {name!r}{meant(name, found.by_name)}")
    adapter, secrets = found.by_name[name], read_secrets(home)
    missing = missing_modules(adapter)
    return AdapterInfo(
        name=name,
        summary=adapter.summary,
        origin=str(found.origins[name]),
        ports=list(adapter.ports),
        options=_options(adapter),
        offline=adapter.offline,
        secrets={key: bool(secrets.get(key)) for key in adapter.secrets},
        optional_secrets={key: bool(secrets.get(key)) for key in adapter.optional_secrets},
        extra=adapter.extra,
        missing=missing,
        install=found.install_command(name) if missing else "",
    )


def _use(manifest: Manifest, port: PortName, secrets: Mapping[str, str]) -> PortUse:
    found = find_adapters()
    choice = manifest.ports.get(port)
    others = [name for name in found.serving(port) if not choice or name != choice.adapter]
    lack = lacking(manifest, port, secrets)
    if choice is None:
        hint = lack.hint if lack else ""
        return PortUse(port=port, adapter=None, state="unserved", hint=hint, others=others)
    if lack is None:
        detail = _without(found.by_name[choice.adapter].optional_secrets, secrets)
        return PortUse(
            port=port, adapter=choice.adapter, state="ready", detail=detail, others=others
        )
    state = "not set up" if isinstance(lack, AuthError) else "not installed"
    return PortUse(
        port=port,
        adapter=choice.adapter,
        state=state,
        detail=lack.message,
        hint=lack.hint,
        others=others,
    )


def _without(names: Sequence[str], secrets: Mapping[str, str]) -> str:
    """Which of the keys that an adapter can do without it has to do without; of many, which it has."""
    there = [name for name in names if secrets.get(name)]
    if len(names) > _NAMED_KEYS:
        return f"with {', '.join(there)}" if there else f"with none of its {len(names)} keys"
    unset = [name for name in names if name not in there]
    return f"without {', '.join(unset)}" if unset else ""


def _probed(ask: Apart, manifest: Manifest, ports: list[PortUse]) -> list[PortUse]:
    """The same, with what is ready asked."""
    asked = [each for each in ports if each.state in GOOD]
    answers = probe_all(
        ask, [Asked(port=each.port, choice=manifest.ports[each.port]) for each in asked]
    )
    told = dict(zip((each.port for each in asked), answers, strict=True))
    return [
        each.model_copy(update=told[each.port].model_dump()) if each.port in told else each
        for each in ports
    ]


def _options(adapter: Adapter) -> list[OptionInfo]:
    """Each option once, with the ports that take it."""
    infos: dict[str, OptionInfo] = {}
    for port in adapter.ports:
        for option in options_of(adapter, port).values():
            info = infos.setdefault(
                option.name,
                OptionInfo(
                    name=option.name,
                    kind=option.kind,
                    required=option.required,
                    default=option.default,
                    description=option.description,
                    ports=[],
                ),
            )
            info.ports.append(port)
    return list(infos.values())
