"""The routes that take artifacts to a blob store and back: a JSON object a line, until it is done."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from kitchen_daemon.models import PullRequest, PushRequest
from kitchen_daemon.transfers.transfers import Transfers

_LINES = "application/x-ndjson"


def transfer_routes(app: FastAPI, transfers: Transfers) -> None:
    """Add them."""

    @app.post("/pushes")
    def push(request: PushRequest) -> StreamingResponse:
        """Send a run's final model, all it has made, or one artifact; it ends with the connection."""
        return StreamingResponse(transfers.push(request), media_type=_LINES)

    @app.post("/pulls")
    def pull(request: PullRequest) -> StreamingResponse:
        """Bring an artifact here; it ends with the connection."""
        return StreamingResponse(transfers.pull(request), media_type=_LINES)
