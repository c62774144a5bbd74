"""Calls about what others keep: models on the hub, and checkpoints at services."""

from __future__ import annotations

from kitchen_daemon.client.connection import SLOW_CALL_TIMEOUT_S, Connection, segment
from kitchen_daemon.models import (
    CheckpointChange,
    CheckpointInfo,
    HubModelInfo,
    UploadInfo,
    UploadPlan,
    UploadRequest,
)


class ServiceCalls(Connection):
    """The hub, and services."""

    def hub_models(
        self, query: str, *, manifest: str = "dev", limit: int = 20
    ) -> list[HubModelInfo]:
        """Models on the hub whose name has `query` in it, those used most first."""
        params = {"query": query, "manifest": manifest, "limit": limit}
        return self._many(HubModelInfo, "GET", "/hub", params=params, timeout=SLOW_CALL_TIMEOUT_S)

    def plan_upload(self, run: str, request: UploadRequest) -> UploadPlan:
        """What an upload would take to the hub; nothing goes there."""
        path = f"/runs/{segment(run)}/upload/plan"
        body = request.model_dump()
        return self._one(UploadPlan, "POST", path, json=body, timeout=SLOW_CALL_TIMEOUT_S)

    def upload(self, run: str, request: UploadRequest) -> UploadInfo:
        """Take a run's final model to the hub; waits as long as that takes."""
        path = f"/runs/{segment(run)}/upload"
        return self._one(UploadInfo, "POST", path, json=request.model_dump(), timeout=None)

    def checkpoints(self, manifest: str) -> list[CheckpointInfo]:
        """What the service of a manifest keeps, the newest first."""
        return self._many(CheckpointInfo, "GET", "/checkpoints", params={"manifest": manifest})

    def change_checkpoint(self, change: CheckpointChange) -> None:
        """Let one go, publish it, drop it."""
        self._call("POST", "/checkpoints", json=change.model_dump())
