"""What goes over the socket about adapters."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from kitchen_daemon.models.base import Model

PortState = Literal[
    "ready",
    "reachable",
    "unprobed",
    "unserved",
    "not installed",
    "not set up",
    "refused",
    "unreachable",
]
"""How a port stands. ready: nothing is missing, as far as can be seen without asking. reachable: it
was asked and answered. refused: it was asked and takes the key for none. unprobed: its adapter can't be
asked. unserved: the manifest names no adapter.
"""
GOOD: tuple[PortState, ...] = ("ready", "reachable", "unprobed")


class PortUse(Model):
    """One port in a manifest. detail: what is missing, or what a probe found. others: the adapters that
    could serve it as well. Keys are told by name, never by value.
    """

    port: str
    adapter: str | None
    state: PortState
    detail: str = ""
    hint: str = ""
    others: list[str] = Field(default_factory=list)


class BrokenInfo(Model):
    """An installed adapter that can't be used. origin: the package that it comes from."""

    name: str
    origin: str
    reason: str


class AdaptersInfo(Model):
    """A manifest's ports, and what is installed and can't be used."""

    manifest: str
    ports: list[PortUse]
    broken: list[BrokenInfo]


class OptionInfo(Model):
    """An option that an adapter has at `ports`. kind: its type, in words."""

    name: str
    kind: str
    required: bool
    default: Any
    description: str
    ports: list[str]


class AdapterInfo(Model):
    """One adapter whole. origin: the package that it comes from. missing: what is not installed and is
    needed; install: what brings it. secrets: the names of its keys, and whether each has a value;
    optional_secrets: those that it can do without.
    """

    name: str
    summary: str
    origin: str
    ports: list[str]
    options: list[OptionInfo]
    offline: bool
    secrets: dict[str, bool]
    optional_secrets: dict[str, bool]
    extra: str | None
    missing: list[str]
    install: str
