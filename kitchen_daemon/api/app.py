"""The HTTP API, whole. The document is at `/openapi.json`. Runs are named by id, unique prefix or name."""

from __future__ import annotations

from fastapi import FastAPI

from kitchen_core import __version__
from kitchen_daemon.api.adapters import adapter_routes
from kitchen_daemon.api.checkpoints import checkpoint_routes
from kitchen_daemon.api.daemon import daemon_routes, recipe_routes
from kitchen_daemon.api.hub import hub_routes
from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.api.machine import machine_routes
from kitchen_daemon.api.problems import problems
from kitchen_daemon.api.queue import queue_routes
from kitchen_daemon.api.runs import asking_routes, launch_routes, reading_routes
from kitchen_daemon.api.schedules import night_route, schedule_routes, window_routes
from kitchen_daemon.api.streams import stream_route
from kitchen_daemon.api.transfers import transfer_routes


def make_app(kitchen: Kitchen) -> FastAPI:
    """The API over one kitchen."""
    app = FastAPI(title="Crucible Kitchen", version=__version__, docs_url=None, redoc_url=None)
    daemon_routes(app, kitchen)
    recipe_routes(app, kitchen)
    machine_routes(app, kitchen)
    launch_routes(app, kitchen)
    reading_routes(app, kitchen)
    asking_routes(app, kitchen)
    queue_routes(app, kitchen)
    schedule_routes(app, kitchen)
    window_routes(app, kitchen)
    night_route(app, kitchen)
    stream_route(app, kitchen)
    adapter_routes(app, kitchen.home, kitchen.apart)
    checkpoint_routes(app, kitchen.home, kitchen.store, kitchen.apart)
    hub_routes(app, kitchen.home, kitchen.store)
    transfer_routes(app, kitchen.transfers)
    problems(app, kitchen.home)
    return app
