"""How the daemon refuses: for every error that a user can do something about a status of HTTP, one line, and
what to do. From 500 on it is not the request that was wrong.
"""

from __future__ import annotations

import errno

from kitchen_core.adapters.choices import ManifestError
from kitchen_core.config import ConfigError
from kitchen_core.recipe import RecipeError
from kitchen_core.refs import RefError
from kitchen_core.store.errors import (
    Ambiguous,
    NameTaken,
    NotWaiting,
    StillWanted,
    StoreBusy,
    StoreError,
)
from kitchen_core.store.errors import NotFound as NotStored
from kitchen_core.telemetry.status import InvalidTransition
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Timeout,
    Unavailable,
    Unsupported,
)
from kitchen_core.workflow.checkpoint import ResumeError
from kitchen_daemon.apart import Stopping
from kitchen_daemon.launching.choosing import BrokenRecipe
from kitchen_daemon.models import Problem
from kitchen_daemon.rendering.renderings import RenderingFailed
from kitchen_daemon.running.asking import CantBeAsked
from kitchen_daemon.scheduling.words import BadTime
from kitchen_daemon.secrets import UnreadableSecrets, UnsafeSecrets
from kitchen_daemon.streams import BadCursor

STATUSES: dict[type[Exception], int] = {
    LookupError: 404,
    NotStored: 404,
    Ambiguous: 404,
    NameTaken: 409,
    StillWanted: 409,
    InvalidTransition: 409,
    ResumeError: 409,
    NotWaiting: 409,
    RecipeError: 422,
    ConfigError: 422,
    RefError: 422,
    ManifestError: 422,
    UnsafeSecrets: 422,
    UnreadableSecrets: 422,
    BadCursor: 422,
    BadTime: 422,
    CantBeAsked: 422,
    RenderingFailed: 422,
    AuthError: 422,
    InvalidRequest: 422,
    NotFound: 422,
    Unsupported: 422,
    PortError: 502,
    RateLimited: 503,
    Unavailable: 503,
    Timeout: 504,
    Stopping: 503,
    StoreBusy: 503,
    StoreError: 507,
    OSError: 507,
}
"""What each kind of error is answered with; of several that fit, the nearest kind."""


def status_of(error: Exception) -> int | None:
    """The status that an error is answered with; None for one that nobody has foreseen."""
    kinds = (kind for kind in type(error).__mro__ if kind in STATUSES)
    return next((STATUSES[kind] for kind in kinds), None)


def problem_of(error: Exception) -> Problem:
    """What to tell of an error that has a status."""
    match error:
        case PortError():
            return Problem(message=error.message, hint=error.hint)
        case BrokenRecipe():
            return Problem(message=str(error), hint=error.hint)
        case RenderingFailed():
            return error.problem
        case Stopping():
            return Problem(message=str(error), hint="Start it again with: kitchen up")
        case StillWanted():
            hint = "Remove it all the same with --force; those then wait until there is one again."
            return Problem(message=str(error), hint=hint)
        case StoreError() | UnsafeSecrets():
            return Problem(message=_said(error))
        case OSError() if error.errno == errno.ENOSPC:
            hint = "Free some space there; then the same command goes on."
            return Problem(message=f"the disk is full: {error}", hint=hint)
        case OSError():
            return Problem(message=f"the disk or a file failed: {error}")
    return Problem(message=_said(error))


def _said(error: Exception) -> str:
    """Its message; a KeyError's own text would stand in quotes."""
    return str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
