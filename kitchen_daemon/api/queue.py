"""The routes of the queue. They touch the dispatcher, so they run on its event loop.

Whoever has changed something is answered when the queue has been looked at again, so that what he is shown is what
he has made of it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query

from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.models import GroupChange, Move, QueueInfo, QueuePause, RunChange, RunInfo

SHOWN = 50
"""So many waiting runs are told of, unless more are asked for."""


def queue_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them."""
    asking = kitchen.dispatcher.asking

    @app.get("/queue")
    async def queue(
        group: str | None = None, limit: Annotated[int, Query(ge=0)] = SHOWN
    ) -> QueueInfo:
        """What runs, and the first of what waits, in order."""
        return await kitchen.queue_info(group, limit)

    @app.post("/queue/pause")
    async def pause(asked: QueuePause) -> QueueInfo:
        """Start nothing more; what runs saves itself and stops, or goes on to its end."""
        asking.pause_queue(asked.group, let_finish=asked.let_finish)
        return await kitchen.queue_info(asked.group, SHOWN, anew=True)

    @app.post("/queue/resume")
    async def resume(group: str | None = None) -> QueueInfo:
        """End such a pause."""
        asking.resume_queue(group)
        return await kitchen.queue_info(group, SHOWN, anew=True)

    @app.put("/queue/groups")
    async def set_group(asked: GroupChange) -> QueueInfo:
        """Limit how many runs of a group run at the same time."""
        asking.limit_group(asked.name, asked.most_running)
        return await kitchen.queue_info(None, SHOWN, anew=True)

    @app.post("/runs/{run}/hold")
    async def hold(run: str) -> RunInfo:
        """Keep a waiting run from starting."""
        found = kitchen.store.find_run(run)
        asking.hold(found)
        return await kitchen.run_info(found.id, anew=True)

    @app.post("/runs/{run}/release")
    async def release(run: str) -> RunInfo:
        """Let a held run go."""
        found = kitchen.store.find_run(run)
        asking.release(found)
        return await kitchen.run_info(found.id, anew=True)

    @app.post("/runs/{run}/move")
    async def move(run: str, asked: Move) -> RunInfo:
        """Give a waiting run another place."""
        found = kitchen.store.find_run(run)
        asking.move(found, asked.to, asked.run)
        return await kitchen.run_info(found.id, anew=True)

    @app.patch("/runs/{run}/queue")
    async def change(run: str, asked: RunChange) -> RunInfo:
        """Give a waiting run another priority or group."""
        found = kitchen.store.find_run(run)
        asking.change(found, asked)
        return await kitchen.run_info(found.id, anew=True)
