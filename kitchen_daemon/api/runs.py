"""The routes that queue runs, read what is known of them, and ask something of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Query

from kitchen_core.telemetry.schema import Event, EventKind, RunStatus
from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.logs import last_lines
from kitchen_daemon.models import (
    MOST_RUNS,
    ArtifactInfo,
    Launch,
    Lineage,
    Plan,
    Quote,
    Rendering,
    RenderRequest,
    RunInfo,
)
from kitchen_daemon.running.resuming import check_resumable
from kitchen_daemon.secrets import read_secrets, redactor
from kitchen_daemon.views import artifact_info, lineage

MOST_LOG_LINES = 10_000


def launch_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them."""

    @app.post("/plans")
    def plan(launch: Launch) -> Plan:
        """What a launch would do."""
        return kitchen.submissions.plan(launch)

    @app.post("/quotes")
    def quote(launch: Launch) -> Quote:
        """What a launch is expected to take."""
        return kitchen.submissions.quote(launch)

    @app.post("/renderings")
    def render(request: RenderRequest) -> Rendering:
        """Rows as a launch would train on them."""
        return kitchen.renderings.render(request)

    @app.post("/runs", status_code=201)
    async def submit(launch: Launch) -> RunInfo:
        """Queue a run; one that does not start at once has the reason."""
        run = await asyncio.to_thread(kitchen.submissions.submit, launch)
        kitchen.dispatcher.wake()
        await kitchen.dispatcher.caught_up()
        return kitchen.run_info(run)

    @app.post("/runs/{run}/retry", status_code=201)
    async def retry(run: str) -> RunInfo:
        """Queue a new run with the same revision, config and pins."""
        again = await asyncio.to_thread(kitchen.submissions.retry, kitchen.store.find_run(run))
        kitchen.dispatcher.wake()
        await kitchen.dispatcher.caught_up()
        return kitchen.run_info(again)


def reading_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them."""
    store = kitchen.store

    @app.get("/runs")
    def runs(
        status: RunStatus | None = None,
        recipe: str | None = None,
        limit: Annotated[int, Query(ge=0, le=MOST_RUNS)] = MOST_RUNS,
        before: str | None = None,
    ) -> list[RunInfo]:
        """Runs, newest first; those that follow the run `before` in that order."""
        after = None if before is None else store.find_run(before).id
        return kitchen.run_infos(store.list_runs(status, recipe, limit, before=after))

    @app.get("/runs/{run}")
    def show(run: str) -> RunInfo:
        """One run."""
        return kitchen.run_info(store.find_run(run))

    @app.get("/runs/{run}/events")
    def events(
        run: str,
        after_seq: int = 0,
        kind: Annotated[list[EventKind] | None, Query()] = None,
        limit: int | None = None,
    ) -> list[Event]:
        """A run's events in order, all or those of some kinds."""
        found = store.find_run(run)
        return store.read_events(run_id=found.id, after_seq=after_seq, kinds=kind, limit=limit)

    @app.get("/runs/{run}/metrics")
    def metrics(
        run: str, name: Annotated[list[str] | None, Query()] = None
    ) -> dict[str, list[tuple[int, float | None]]]:
        """Series as `{name: [[step, value], ...]}`."""
        return store.series(store.find_run(run).id, name or None)  # type: ignore[return-value]  # JSON has no tuples; steps are whole

    @app.get("/runs/{run}/chart")
    def chart(
        run: str, name: str, points: Annotated[int, Query(ge=1, le=10_000)] = 200
    ) -> list[list[Any]]:
        """A series in buckets: first step, last step, min, max, last."""
        return [list(bucket) for bucket in store.buckets(store.find_run(run).id, name, points)]

    @app.get("/runs/{run}/artifacts")
    def artifacts(run: str) -> list[ArtifactInfo]:
        """What a run made."""
        return [artifact_info(found) for found in store.list_artifacts(store.find_run(run).id)]

    @app.get("/runs/{run}/log")
    def log(run: str, lines: Annotated[int, Query(ge=0)] = MOST_LOG_LINES) -> list[str]:
        """What the run's workers printed."""
        found = store.find_run(run)
        attempts = range(1, found.attempt + 1)
        paths = [kitchen.home.attempt_log(found.id, attempt) for attempt in attempts]
        every = [line for path in paths for line in last_lines(path, MOST_LOG_LINES)]
        return redactor(kitchen.home).lines(every[-lines:]) if lines else []

    @app.get("/lineage/{node}")
    def graph(node: str) -> Lineage:
        """Everything upstream and downstream."""
        return lineage(store, node)


def asking_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them. They touch the dispatcher, so they run on its event loop."""
    store, asking = kitchen.store, kitchen.dispatcher.asking

    @app.post("/runs/{run}/cancel")
    async def cancel(run: str) -> RunInfo:
        """Ask a run to end."""
        found = store.find_run(run)
        asking.cancel(found)
        return kitchen.run_info(store.get_run(found.id))

    @app.post("/runs/{run}/pause")
    async def pause(run: str) -> RunInfo:
        """Ask a run to save itself and stop for now."""
        found = store.find_run(run)
        asking.pause(found)
        return kitchen.run_info(store.get_run(found.id))

    @app.post("/runs/{run}/resume")
    async def resume(run: str, replace: bool = False) -> RunInfo:
        """Queue a run that stopped, to go on from its last checkpoint."""
        found = store.find_run(run)
        secrets = read_secrets(kitchen.home)
        reason = await asyncio.to_thread(check_resumable, store, found, secrets)
        await asking.resume(found, replace=replace, reason=reason)
        return kitchen.run_info(store.get_run(found.id))
