"""The routes about the checkpoints that services keep."""

from __future__ import annotations

from fastapi import FastAPI

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.checkpoint_models import CheckpointChange, CheckpointInfo
from kitchen_daemon.checkpoints import KeptCheckpoints


def checkpoint_routes(app: FastAPI, home: Home, store: Store) -> None:
    """Add them."""
    kept = KeptCheckpoints(home, store)

    @app.get("/checkpoints")
    def checkpoints(manifest: str) -> list[CheckpointInfo]:
        """What the service of a manifest keeps, the newest first."""
        return kept.listed(manifest)

    @app.post("/checkpoints", status_code=204)
    def change(change: CheckpointChange) -> None:
        """Let one go, publish it, drop it."""
        kept.change(change)
