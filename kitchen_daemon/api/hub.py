"""The part of the HTTP API that is about the model hub."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query

from kitchen_core.home import Home
from kitchen_core.store.store import Store
from kitchen_daemon.hub.hub import Hub
from kitchen_daemon.models import HubModelInfo, UploadInfo, UploadPlan, UploadRequest


def hub_routes(app: FastAPI, home: Home, store: Store) -> None:
    """Add the routes."""
    hub = Hub(home, store)

    @app.get("/hub")
    async def models(
        query: str, manifest: str = "dev", limit: Annotated[int, Query(ge=1, le=1000)] = 20
    ) -> list[HubModelInfo]:
        """Models whose name has the query in it, those used most first."""
        return await hub.find(query, manifest, limit)

    @app.post("/runs/{run}/upload/plan")
    def plan(run: str, request: UploadRequest) -> UploadPlan:
        """What an upload would take to the hub."""
        return hub.plan(store.find_run(run), request)

    @app.post("/runs/{run}/upload")
    async def upload(run: str, request: UploadRequest) -> UploadInfo:
        """Take a run's final model to the hub, and wait until it is there."""
        return await hub.upload(store.find_run(run), request)
