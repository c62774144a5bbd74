"""The routes about adapters."""

from __future__ import annotations

from fastapi import FastAPI

from kitchen_core.adapters.manifest import manifest_names
from kitchen_core.home import Home
from kitchen_daemon.adapters.listing import adapter_info, adapters_info
from kitchen_daemon.apart import Apart
from kitchen_daemon.models import AdapterInfo, AdaptersInfo


def adapter_routes(app: FastAPI, home: Home, apart: Apart) -> None:
    """Add them."""

    @app.get("/manifests")
    def manifests() -> list[str]:
        """The names of the manifests, shipped and own."""
        return manifest_names(home.root)

    @app.get("/adapters")
    def adapters(manifest: str = "dev", probe: bool = False) -> AdaptersInfo:
        """A manifest's ports; `probe` asks whether each can be reached."""
        return adapters_info(home, manifest, ask=apart if probe else None)

    @app.get("/adapter")
    def adapter(name: str) -> AdapterInfo:
        """One adapter, by name."""
        return adapter_info(home, name)
