"""Finding adapters: ours and other packages', by entry point, each looked at before anybody relies on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from kitchen_core.train.naming import nearest
from kitchen_core.train.ports.adapter import PORTS, Adapter

logger = logging.getLogger(__name__)

GROUP = "crucible_kitchen.adapters"
OURS = "crucible-kitchen"


@dataclass(frozen=True)
class Origin:
    """The installed package that an adapter comes from."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}".strip()


@dataclass(frozen=True)
class BrokenAdapter:
    """An entry point that can't be used, and why."""

    name: str
    origin: Origin
    reason: str


@dataclass(frozen=True)
class FoundAdapters:
    """What is installed: adapters by name, where each comes from, and those that can't be used."""

    by_name: Mapping[str, Adapter]
    origins: Mapping[str, Origin]
    broken: tuple[BrokenAdapter, ...] = ()

    def serving(self, port: str) -> list[str]:
        """The adapters that can serve a port."""
        return sorted(name for name, adapter in self.by_name.items() if port in adapter.ports)

    def why_broken(self, name: str) -> str | None:
        """Why the adapter of that name can't be used; None where it can, or where there is none."""
        if name in self.by_name:
            return None
        return next((broken.reason for broken in self.broken if broken.name == name), None)

    def install_command(self, name: str) -> str:
        """What brings the modules that an adapter needs."""
        adapter = self.by_name[name]
        if adapter.extra:
            return f"pip install '{self.origins[name].package}[{adapter.extra}]'"
        return f"pip install {' '.join(missing_modules(adapter))}"


@cache
def find_adapters() -> FoundAdapters:
    """Every installed adapter. One that can't be loaded breaks nothing: it is kept as broken. Where two
    have the same name, the kitchen's own is used, else that of the package whose name comes first.
    """
    return gather(entry_points(group=GROUP))


def gather(entries: Iterable[EntryPoint]) -> FoundAdapters:
    """As `find_adapters`, from these entry points."""
    by_name: dict[str, Adapter] = {}
    origins: dict[str, Origin] = {}
    broken: list[BrokenAdapter] = []
    for entry in sorted(entries, key=_precedence):
        name, origin = entry.name, _origin(entry)
        if name in by_name:
            reason = f"there is one of that name already, from {origins[name]}, which is used"
            broken.append(BrokenAdapter(name, origin, reason))
            continue
        try:
            by_name[name], origins[name] = _load(entry), origin
        except _Unusable as unusable:
            logger.debug("adapter %s of %s", name, origin, exc_info=True)
            broken.append(BrokenAdapter(name, origin, str(unusable)))
    return FoundAdapters(by_name, origins, tuple(broken))


def missing_modules(adapter: Adapter) -> list[str]:
    """What an adapter needs and is not installed here. Imports nothing."""
    return [module for module in adapter.modules if not _is_installed(module)]


class _Unusable(Exception):  # noqa: N818 - named by the condition
    """What an entry point leads to can't be used."""


def _load(entry: EntryPoint) -> Adapter:
    try:
        adapter = entry.load()
    except (Exception, SystemExit) as error:  # another package's code: it may raise what it likes
        said = (str(error).splitlines() or [""])[0]
        raise _Unusable(f"can't be imported: {type(error).__name__}: {said}") from error
    if not isinstance(adapter, Adapter):
        raise _Unusable(f"is no Adapter: {entry.value} is of type {type(adapter).__name__}")
    if adapter.name != entry.name:
        raise _Unusable(f"calls itself {adapter.name!r}, but its entry point {entry.name!r}")
    if not adapter.ports:
        raise _Unusable("serves no port")
    for port in adapter.ports:
        if port not in PORTS:
            raise _Unusable(f"serves {port!r}, which is no port{nearest(port, PORTS)}")
    return adapter


def _precedence(entry: EntryPoint) -> tuple[bool, str, str]:
    origin = _origin(entry)
    return origin.package != OURS, origin.package, entry.name


def _origin(entry: EntryPoint) -> Origin:
    return Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin("unknown", "")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # of a dotted name the package is missing
        return False
