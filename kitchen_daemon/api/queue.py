"""The routes of the queue. They touch the dispatcher, so they run on its event loop.

Those that show the queue answer when it has been looked at since anything was asked of it, so that everybody is shown
what he has made of it; where very many wait, by the last look.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query

from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.models import GroupChange, Move, QueueInfo, QueuePause, RunChange, RunInfo
from kitchen_daemon.queue_views import queue_info

SHOWN = 50
"""So many waiting runs are told of, unless more are asked for."""


def queue_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them."""
    dispatcher = kitchen.dispatcher
    asking = dispatcher.asking

    async def queue_now(group: str | None, limit: int = SHOWN) -> QueueInfo:
        await dispatcher.caught_up()
        return queue_info(kitchen.store, dispatcher, group, limit)

    def run_now(run_id: str) -> RunInfo:
        return kitchen.run_info(kitchen.store.get_run(run_id))

    @app.get("/queue")
    async def queue(
        group: str | None = None, limit: Annotated[int, Query(ge=0)] = SHOWN
    ) -> QueueInfo:
        """What runs, and the first of what waits, in order."""
        return await queue_now(group, limit)

    @app.post("/queue/pause")
    async def pause(asked: QueuePause) -> QueueInfo:
        """Start nothing more; what runs saves itself and stops, or goes on to its end."""
        asking.pause_queue(asked.group, let_finish=asked.let_finish)
        return await queue_now(asked.group)

    @app.post("/queue/resume")
    async def resume(group: str | None = None) -> QueueInfo:
        """End such a pause."""
        asking.resume_queue(group)
        return await queue_now(group)

    @app.put("/queue/groups")
    async def set_group(asked: GroupChange) -> QueueInfo:
        """Limit how many runs of a group run at the same time."""
        asking.limit_group(asked.name, asked.most_running)
        return await queue_now(None)

    @app.post("/runs/{run}/hold")
    async def hold(run: str) -> RunInfo:
        """Keep a waiting run from starting."""
        found = kitchen.store.find_run(run)
        asking.hold(found)
        return run_now(found.id)

    @app.post("/runs/{run}/release")
    async def release(run: str) -> RunInfo:
        """Let a held run go."""
        found = kitchen.store.find_run(run)
        asking.release(found)
        return run_now(found.id)

    @app.post("/runs/{run}/move")
    async def move(run: str, asked: Move) -> RunInfo:
        """Give a waiting run another place."""
        found = kitchen.store.find_run(run)
        asking.move(found, asked.to, asked.run)
        return run_now(found.id)

    @app.patch("/runs/{run}/queue")
    async def change(run: str, asked: RunChange) -> RunInfo:
        """Give a waiting run another priority or group."""
        found = kitchen.store.find_run(run)
        asking.change(found, asked)
        return run_now(found.id)
