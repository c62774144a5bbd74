"""The routes about the daemon itself and its recipes."""

from __future__ import annotations

import os
import signal

from fastapi import FastAPI

from kitchen_core import __version__
from kitchen_core.store.migration import schema_version
from kitchen_daemon.api.kitchen import Kitchen
from kitchen_daemon.doctor import examine
from kitchen_daemon.models import Check, DaemonStatus, RecipeDetail, RecipeSummary
from kitchen_daemon.secrets import redactor

FIRST_QUEUED = 20


def daemon_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them."""

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
            queued=kitchen.store.queued_ids(FIRST_QUEUED),
            queued_count=kitchen.store.count_queued(),
            schema_version=str(schema_version(kitchen.home.database)),
        )

    @app.get("/doctor")
    def doctor(probe: bool = False) -> list[Check]:
        """What works here and what is missing; `probe` asks the services too."""
        clean = redactor(kitchen.home)
        ask = kitchen.apart if probe else None
        found = examine(kitchen.home, kitchen.store, kitchen.shelf, ask=ask)
        return [Check(**clean.value(check.model_dump())) for check in found]

    @app.post("/shutdown", status_code=202)
    def shutdown() -> None:
        """Stop the daemon; workers go on."""
        os.kill(os.getpid(), signal.SIGTERM)


def recipe_routes(app: FastAPI, kitchen: Kitchen) -> None:
    """Add them."""

    @app.get("/recipes")
    def recipes() -> list[RecipeSummary]:
        """All recipes."""
        return kitchen.shelf.summaries()

    @app.get("/recipe")
    def recipe(name: str, revision: str | None = None) -> RecipeDetail:
        """One recipe, by name or path, as it is now or as a revision has it."""
        return kitchen.recipes.detail(name, revision)
