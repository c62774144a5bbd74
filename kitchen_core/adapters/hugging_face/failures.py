"""What huggingface_hub raises, in the words of the error family."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from kitchen_core.adapters.hugging_face.client import Interrupted
from kitchen_core.adapters.retry_after import retry_after
from kitchen_core.train.ports.adapter import PortName
from kitchen_core.train.ports.errors import (
    AuthError,
    GatedError,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Timeout,
    Unavailable,
)


@contextmanager
def translated(port: PortName, asked: str, token_env: str) -> Iterator[None]:
    """Turn every failure of the hub inside into a PortError of `port` that says what to do."""
    try:
        yield
    except PortError as error:
        raise _named(error, port, asked) from error.__cause__
    except Interrupted as error:
        cause = error.__cause__ or error
        raise _named(_in_our_words(cause, token_env), port, asked) from cause
    except (HFValidationError, httpx2.HTTPError, OfflineModeIsEnabled) as error:
        raise _named(_in_our_words(error, token_env), port, asked) from error


def _in_our_words(error: BaseException, token_env: str) -> PortError:
    match error:
        case HFValidationError():
            return InvalidRequest(str(error), hint="A hub name has the form ORG/NAME.")
        case HfHubHTTPError():
            return _from_answer(error, token_env)
        case httpx2.TimeoutException():
            return Timeout("the hub did not answer in time", hint="Try again later.")
        case _:
            hint = "Check the network, or give a path on this machine."
            return Unavailable(f"can't reach the hub: {error}", hint=hint)


def _from_answer(error: HfHubHTTPError, token_env: str) -> PortError:
    """The member of the family for an answer. Gated comes first: it is a kind of not-found there."""
    if isinstance(error, GatedRepoError):
        return GatedError(
            "the repository is gated and you have not been let in",
            hint=f"Ask for access on its page, and set {token_env} to a token of that account.",
        )
    if isinstance(error, RepositoryNotFoundError):
        return NotFound(
            "there is no such repository, or it is private",
            hint=f"Check the name; for a private one set {token_env}.",
        )
    if isinstance(error, RevisionNotFoundError):
        return NotFound("there is no such revision", hint="Check the branch, tag or commit.")
    status = error.response.status_code
    if status in (401, 403):
        return AuthError(
            "the hub refused the token", hint=f"Set {token_env} to a valid access token."
        )
    if status == 404:
        return NotFound("a file is missing from the repository", hint="Check the name.")
    if status == 429:
        return RateLimited(
            "the hub asks to slow down",
            retry_after=retry_after(error.response.headers),
            hint=f"Wait a little; a token in {token_env} raises the limit.",
        )
    if status >= 500:
        return Unavailable(f"the hub answers {status}", hint="Try again later.")
    return InvalidRequest(f"the hub answers {status}: {error}", hint="Check the name.")


def _named(error: PortError, port: PortName, asked: str) -> PortError:
    error.port, error.adapter, error.asked = port, "hugging_face", asked
    return error
