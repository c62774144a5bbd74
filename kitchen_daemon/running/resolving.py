"""Refs that lead into this home: its store, its manifest's adapters, and what is built in."""

from __future__ import annotations

from collections.abc import Callable

from kitchen_core import builtin
from kitchen_core.adapters.wiring import Wiring
from kitchen_core.resolver import Resolver
from kitchen_core.store.store import Store
from kitchen_core.telemetry.ports import Node
from kitchen_daemon.running.stored import StoredModels


def make_resolver(
    store: Store,
    wiring: Wiring,
    pins: dict[str, str],
    on_resolved: Callable[[str, Node, str], None],
    pin: Callable[[str, str], None],
) -> Resolver:
    """A resolver over the store and the adapters; the rest is as `Resolver` says."""
    return Resolver(
        builtins=builtin,
        stored=StoredModels(store),
        reader=lambda: wiring.connect("dataset_reader"),
        model_hub=lambda: wiring.connect("model_hub"),
        dataset_hub=lambda: wiring.connect("dataset_hub"),
        pins=pins,
        on_resolved=on_resolved,
        pin=pin,
    )
