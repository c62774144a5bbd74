"""How the API refuses: every problem in one line and one shape, without keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.refs import RefError
from kitchen_core.store.errors import StoreBusy
from kitchen_core.telemetry.status import InvalidTransition
from kitchen_core.train.ports.errors import PortError
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.apart import Stopping
from kitchen_daemon.models import Problem
from kitchen_daemon.rendering.renderings import RenderingFailed
from kitchen_daemon.running.dispatch import CantBeAsked
from kitchen_daemon.secrets import UnreadableSecrets, UnsafeSecrets, redactor
from kitchen_daemon.streams import BadCursor


def problems(app: FastAPI, home: Home) -> None:
    """Answer with the status that each kind of error has."""

    def handle(kind: type[Exception], status: int, message: Callable[[Any], Problem]) -> None:
        @app.exception_handler(kind)
        async def answer(request: Request, error: Exception) -> JSONResponse:
            said = redactor(home).value(message(error).model_dump())
            return JSONResponse(said, status_code=status)

    handle(LookupError, 404, lambda error: Problem(message=_said(error)))
    for kind in (InvalidTransition, ResumeError):
        handle(kind, 409, lambda error: Problem(message=_said(error)))
    for kind in (
        RecipeError,
        ConfigError,
        RefError,
        ManifestError,
        UnsafeSecrets,
        UnreadableSecrets,
        BadCursor,
        CantBeAsked,
    ):
        handle(kind, 422, lambda error: Problem(message=_said(error)))
    handle(PortError, 422, lambda error: Problem(message=error.message, hint=error.hint))
    handle(RenderingFailed, 422, lambda error: error.problem)
    stopping = "Start it again with: kitchen up"
    handle(Stopping, 503, lambda error: Problem(message=_said(error), hint=stopping))
    handle(StoreBusy, 503, lambda error: Problem(message=_said(error)))
    handle(OSError, 507, lambda error: Problem(message=f"the disk or a file failed: {error}"))
    handle(RequestValidationError, 422, lambda error: Problem(message=_first(error)))


def _said(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _first(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
