"""The HTTP API. Routes translate; the work is in the modules that they call.

The document is at `/openapi.json`. Runs are named by id, unique prefix or name.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse

from kitchen_core import __version__
from kitchen_core.adapters.choices import ManifestError
from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.refs import RefError
from kitchen_core.store.errors import StoreBusy
from kitchen_core.store.migration import schema_version
from kitchen_core.store.store import Store
from kitchen_core.telemetry.schema import Event, EventKind, RunStatus
from kitchen_core.telemetry.status import InvalidTransition
from kitchen_core.train.ports.errors import PortError
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.adapter_routes import adapter_routes
from kitchen_daemon.checkpoint_routes import checkpoint_routes
from kitchen_daemon.dispatch import CantBeAsked, Dispatcher
from kitchen_daemon.doctor import examine
from kitchen_daemon.logs import last_lines
from kitchen_daemon.models import (
    ArtifactInfo,
    Check,
    DaemonStatus,
    Launch,
    Lineage,
    Plan,
    Problem,
    RecipeDetail,
    RecipeSummary,
    Rendering,
    RenderRequest,
    RunInfo,
)
from kitchen_daemon.rendering import RenderingFailed, Renderings
from kitchen_daemon.resuming import check_resumable
from kitchen_daemon.secrets import UnsafeSecrets
from kitchen_daemon.shelf import Shelf
from kitchen_daemon.streams import BadCursor, ChangeFeed, Cursor, stream
from kitchen_daemon.submission import Submissions
from kitchen_daemon.views import artifact_info, lineage, run_info

MOST_LOG_LINES = 10_000


@dataclass
class Kitchen:
    """What the routes work with."""

    home: Home
    store: Store
    shelf: Shelf
    submissions: Submissions
    renderings: Renderings
    dispatcher: Dispatcher
    feed: ChangeFeed
    started_at: float


def make_app(kitchen: Kitchen) -> FastAPI:
    """The API over one kitchen."""
    app = FastAPI(title="Crucible Kitchen", version=__version__, docs_url=None, redoc_url=None)
    _daemon_routes(app, kitchen)
    _recipe_routes(app, kitchen)
    _launch_routes(app, kitchen)
    _reading_routes(app, kitchen)
    _asking_routes(app, kitchen)
    _stream_route(app, kitchen)
    adapter_routes(app, kitchen.home)
    checkpoint_routes(app, kitchen.home, kitchen.store)
    _problems(app)
    return app


def _daemon_routes(app: FastAPI, kitchen: Kitchen) -> None:
    @app.get("/status")
    def status() -> DaemonStatus:
        """The daemon, at a glance."""
        return DaemonStatus(
            version=__version__,
            pid=os.getpid(),
            home=str(kitchen.home.root),
            socket=str(kitchen.home.socket),
            started_at=kitchen.started_at,
            standby_ready=kitchen.dispatcher.standby_ready,
            running=kitchen.dispatcher.running,
            queued=[run.id for run in kitchen.store.queued_runs()],
            schema_version=str(schema_version(kitchen.home.database)),
        )

    @app.get("/doctor")
    def doctor(probe: bool = False) -> list[Check]:
        """What works here and what is missing; `probe` asks the services too."""
        return list(examine(kitchen.home, kitchen.store, kitchen.shelf, probe=probe))

    @app.post("/shutdown", status_code=202)
    def shutdown() -> None:
        """Stop the daemon; workers go on."""
        os.kill(os.getpid(), signal.SIGTERM)


def _recipe_routes(app: FastAPI, kitchen: Kitchen) -> None:
    @app.get("/recipes")
    def recipes() -> list[RecipeSummary]:
        """All recipes."""
        return kitchen.shelf.summaries()

    @app.get("/recipe")
    def recipe(name: str) -> RecipeDetail:
        """One recipe, by name or path."""
        return kitchen.shelf.detail(name)


def _launch_routes(app: FastAPI, kitchen: Kitchen) -> None:
    @app.post("/plans")
    def plan(launch: Launch) -> Plan:
        """What a launch would do."""
        return kitchen.submissions.plan(launch)

    @app.post("/renderings")
    def render(request: RenderRequest) -> Rendering:
        """Rows as a launch would train on them."""
        return kitchen.renderings.render(request)

    @app.post("/runs", status_code=201)
    async def submit(launch: Launch) -> RunInfo:
        """Queue a run."""
        run = await asyncio.to_thread(kitchen.submissions.submit, launch)
        kitchen.dispatcher.wake()
        return run_info(kitchen.store, run)

    @app.post("/runs/{run}/retry", status_code=201)
    async def retry(run: str) -> RunInfo:
        """Queue a new run with the same revision, config and pins."""
        again = await asyncio.to_thread(kitchen.submissions.retry, kitchen.store.find_run(run))
        kitchen.dispatcher.wake()
        return run_info(kitchen.store, again)


def _reading_routes(app: FastAPI, kitchen: Kitchen) -> None:
    store = kitchen.store

    @app.get("/runs")
    def runs(
        status: RunStatus | None = None,
        recipe: str | None = None,
        limit: Annotated[int | None, Query(ge=0)] = None,
    ) -> list[RunInfo]:
        """Runs, newest first."""
        found = store.list_runs(status=status, recipe=recipe, limit=limit)
        return [run_info(store, run) for run in found]

    @app.get("/runs/{run}")
    def show(run: str) -> RunInfo:
        """One run."""
        return run_info(store, store.find_run(run))

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
        return every[-lines:] if lines else []

    @app.get("/lineage/{node}")
    def graph(node: str) -> Lineage:
        """Everything upstream and downstream."""
        return lineage(store, node)


def _asking_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """These touch the dispatcher, so they run on its event loop."""
    store, dispatcher = kitchen.store, kitchen.dispatcher

    @app.post("/runs/{run}/cancel")
    async def cancel(run: str) -> RunInfo:
        """Ask a run to end."""
        found = store.find_run(run)
        dispatcher.cancel(found)
        return run_info(store, store.get_run(found.id))

    @app.post("/runs/{run}/pause")
    async def pause(run: str) -> RunInfo:
        """Ask a run to save itself and stop for now."""
        found = store.find_run(run)
        dispatcher.pause(found)
        return run_info(store, store.get_run(found.id))

    @app.post("/runs/{run}/resume")
    async def resume(run: str, replace: bool = False) -> RunInfo:
        """Queue a run that stopped, to go on from its last checkpoint."""
        found = store.find_run(run)
        reason = await asyncio.to_thread(check_resumable, store, found)
        await dispatcher.resume(found, replace=replace, reason=reason)
        return run_info(store, store.get_run(found.id))


def _stream_route(app: FastAPI, kitchen: Kitchen) -> None:
    @app.get("/stream")
    def follow(
        run: str | None = None, last_event_id: Annotated[str | None, Header()] = None
    ) -> StreamingResponse:
        """Server-sent events: one run's, or everything; continues after `Last-Event-ID`."""
        run_id = kitchen.store.find_run(run).id if run is not None else None
        items = stream(kitchen.store, kitchen.feed, run_id, Cursor.parse(last_event_id))
        return StreamingResponse(items, media_type="text/event-stream")


def _problems(app: FastAPI) -> None:
    """Every refusal is one line in one shape."""

    def handle(kind: type[Exception], status: int, message: Callable[[Any], Problem]) -> None:
        @app.exception_handler(kind)
        async def answer(request: Request, error: Exception) -> JSONResponse:
            return JSONResponse(message(error).model_dump(), status_code=status)

    handle(LookupError, 404, lambda error: Problem(message=_said(error)))
    for kind in (InvalidTransition, ResumeError):
        handle(kind, 409, lambda error: Problem(message=_said(error)))
    for kind in (
        RecipeError,
        ConfigError,
        RefError,
        ManifestError,
        UnsafeSecrets,
        BadCursor,
        CantBeAsked,
    ):
        handle(kind, 422, lambda error: Problem(message=_said(error)))
    handle(PortError, 422, lambda error: Problem(message=error.message, hint=error.hint))
    handle(RenderingFailed, 422, lambda error: error.problem)
    handle(StoreBusy, 503, lambda error: Problem(message=_said(error)))
    handle(OSError, 507, lambda error: Problem(message=f"the disk or a file failed: {error}"))
    handle(RequestValidationError, 422, lambda error: Problem(message=_first(error)))


def _said(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _first(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
