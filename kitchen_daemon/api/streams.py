"""The route that tells what happens as it happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.responses import StreamingResponse

from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.models import FROM_NOW
from kitchen_daemon.streams import Cursor


def stream_route(app: FastAPI, kitchen: Kitchen) -> None:
    """Add it."""

    @app.get("/stream")
    def follow(
        run: str | None = None, last_event_id: Annotated[str | None, Header()] = None
    ) -> StreamingResponse:
        """Server-sent events: one run's, or everything; continues after `Last-Event-ID`, which may be `now`."""
        store = kitchen.store
        run_id = store.find_run(run).id if run is not None else None
        cursor = Cursor.now(store) if last_event_id == FROM_NOW else Cursor.parse(last_event_id)
        items = kitchen.feed.follow(run_id, cursor)
        return StreamingResponse(items, media_type="text/event-stream")
