"""How the API refuses: every problem in one line and one shape, without keys."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from kitchen_core.home import Home
from kitchen_daemon.models import Problem
from kitchen_daemon.refusals import STATUSES, problem_of
from kitchen_daemon.secrets import redactor


def problems(app: FastAPI, home: Home) -> None:
    """Answer with the status that each kind of error has."""

    def refuse(status: int, problem: Problem) -> JSONResponse:
        return JSONResponse(redactor(home).value(problem.model_dump()), status_code=status)

    def handle(kind: type[Exception], status: int) -> None:
        @app.exception_handler(kind)
        async def answer(request: Request, error: Exception) -> JSONResponse:
            return refuse(status, problem_of(error))

    for kind, status in STATUSES.items():
        handle(kind, status)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return refuse(422, Problem(message=_first(error)))


def _first(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
