"""The doctor's look at manifests: what each lacks, and on request whether the other sides answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.adapters.finding import find_adapters
from kitchen_core.adapters.manifest import Manifest, manifest_names, resolve_manifest
from kitchen_core.home import Home
from kitchen_daemon.adapters.listing import broken_adapters, port_uses
from kitchen_daemon.adapters.probing import Asked, probe_all
from kitchen_daemon.apart import Apart
from kitchen_daemon.models import GOOD, Check
from kitchen_daemon.secrets import UnreadableSecrets, UnsafeSecrets, read_secrets

DEFAULT = "dev"


def examine_manifests(home: Home, *, ask: Apart | None = None) -> Iterator[Check]:
    """Every manifest, the installed adapters that can't be used, and with `ask` each adapter that some
    manifest names.
    """
    try:
        secrets = read_secrets(home)
    except UnsafeSecrets as error:
        yield Check(name="secrets", ok=False, detail=str(error), hint=f"chmod 600 {home.secrets}")
        return
    except UnreadableSecrets as error:
        yield Check(name="secrets", ok=False, detail=str(error))
        return
    yield _keys(home, secrets)
    usable: list[Asked] = []
    for name in manifest_names(home.root):
        try:
            manifest = resolve_manifest(name, {}, home.root)
        except ManifestError as error:
            yield Check(name=f"manifest {name}", ok=False, detail=str(error))
            continue
        yield _manifest(home, name, manifest, secrets)
        usable += [each for each in _usable(manifest, secrets) if each not in usable]
    for broken in broken_adapters():
        detail = f"{broken.origin}: {broken.reason}"
        yield Check(name=f"adapter {broken.name}", ok=False, detail=detail, optional=True)
    if ask is not None:
        yield from _probes(ask, usable)


def _keys(home: Home, secrets: Mapping[str, str]) -> Check:
    """Which of the keys that adapters know are set, and where they go."""
    known = {
        name
        for adapter in find_adapters().by_name.values()
        for name in (*adapter.secrets, *adapter.optional_secrets)
    }
    there = ", ".join(sorted(name for name in known if secrets.get(name))) or "none set"
    return Check(name="keys", ok=True, detail=f"{there}; they go into {home.secrets}")


def _manifest(home: Home, name: str, manifest: Manifest, secrets: dict[str, str]) -> Check:
    """What a manifest lacks. The default and the user's own are there to be used; the others may be."""
    uses = port_uses(manifest, secrets)
    lacks = {use.detail: use.hint for use in uses if use.state not in (*GOOD, "unserved")}
    adapters = sorted({use.adapter for use in uses if use.adapter})
    own = (home.root / "manifests" / f"{name}.toml").is_file()
    return Check(
        name=f"manifest {name}",
        ok=not lacks,
        detail="; ".join(lacks) or ", ".join(adapters),
        hint=" ".join(dict.fromkeys(lacks.values())),
        optional=name != DEFAULT and not own,
    )


def _usable(manifest: Manifest, secrets: dict[str, str]) -> list[Asked]:
    return [
        Asked(port=use.port, choice=manifest.ports[use.port])
        for use in port_uses(manifest, secrets)
        if use.state in GOOD
    ]


def _probes(ask: Apart, asked: list[Asked]) -> Iterator[Check]:
    """An answer of each that has a probe; one that is only not set up may stay so."""
    for each, answer in zip(asked, probe_all(ask, asked), strict=True):
        if answer.state == "unprobed":
            continue
        yield Check(
            name=f"{each.port} {each.choice.adapter}",
            ok=answer.state in GOOD,
            detail=answer.detail,
            hint=answer.hint,
            optional=answer.state == "not set up",
        )
