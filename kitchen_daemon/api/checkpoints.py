"""The routes about the checkpoints that services keep."""

from __future__ import annotations

from fastapi import FastAPI

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.apart import Apart
from kitchen_daemon.checkpoints.asking import KeptCheckpoints
from kitchen_daemon.models import CheckpointChange, CheckpointInfo


def checkpoint_routes(app: FastAPI, home: Home, store: Store, apart: Apart) -> None:
    """Add them."""
    kept = KeptCheckpoints(home, store, apart)

    @app.get("/checkpoints")
    def checkpoints(manifest: str) -> list[CheckpointInfo]:
        """What the service of a manifest keeps, the newest first."""
        return kept.listed(manifest)

    @app.post("/checkpoints", status_code=204)
    def change(change: CheckpointChange) -> None:
        """Let one go, publish it, drop it."""
        kept.change(change)
