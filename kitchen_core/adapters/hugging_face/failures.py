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

from kitchen_core.adapters.hugging_face.access import Asking
from kitchen_core.adapters.hugging_face.client import Interrupted
from kitchen_core.adapters.retry_after import retry_after
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

SECRETS = "secrets.env or the environment"


@contextmanager
def translated(asking: Asking) -> Iterator[None]:
    """Turn every failure of the hub inside into a PortError that says what to do."""
    try:
        yield
    except PortError as error:
        raise _named(error, asking) from _cause(error.__cause__, asking)
    except Interrupted as error:
        cause = error.__cause__ or error
        raise _named(_in_our_words(cause, asking), asking) from _cause(cause, asking)
    except (HFValidationError, httpx2.HTTPError, OSError) as error:
        raise _named(_in_our_words(error, asking), asking) from _cause(error, asking)


def _in_our_words(error: BaseException, asking: Asking) -> PortError:
    match error:
        case HFValidationError():
            name = asking.repo or asking.asked
            hint = "A name is ORG/NAME; @REVISION and a dataset's #SUBSET go behind it."
            return InvalidRequest(f"{name!r} is no name on the hub", hint=hint)
        case HfHubHTTPError():
            return _from_answer(error, asking)
        case httpx2.TimeoutException():
            return Timeout("the hub did not answer in time", hint="Try again later.")
        case OfflineModeIsEnabled():
            return _offline()
        case OSError() if error.errno is not None and not isinstance(error, httpx2.HTTPError):
            return _disk_failed(error)
        case _:
            hint = "Check the network, or give a path on this machine."
            return Unavailable(f"can't reach the hub: {first_line(error)}", hint=hint)


def _from_answer(error: HfHubHTTPError, asking: Asking) -> PortError:
    """The member of the family for an answer. Gated comes first: it is a kind of not-found there."""
    token_env = asking.access.token_env
    if isinstance(error, GatedRepoError):
        return _gated(asking)
    if isinstance(error, RepositoryNotFoundError):
        return _no_repository(asking)
    if isinstance(error, RevisionNotFoundError):
        return NotFound("there is no such revision", hint="Check the branch, tag or commit.")
    status = error.response.status_code
    if status in (401, 403):
        if asking.access.token is None:
            return AuthError("the hub wants a token", hint=f"Set {token_env} in {SECRETS}.")
        return AuthError(
            "the hub refused the token",
            hint=f"Set {token_env} in {SECRETS} to a valid one, or to none: open repositories need no token.",
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
    return InvalidRequest(f"the hub answers {status}: {first_line(error)}", hint="Check the name.")


def _gated(asking: Asking) -> GatedError:
    access, repo = asking.access, asking.repo or "the repository"
    page = access.page(asking.kind, repo)
    if access.token is None:
        return GatedError(
            f"{repo} is gated, and no token is set",
            hint=f"Ask for access at {page}, and set {access.token_env} in {SECRETS}.",
        )
    return GatedError(
        f"{repo} is gated, and the token's account has not been let in",
        hint=f"Ask for access at {page} with the account of {access.token_env}.",
    )


def _no_repository(asking: Asking) -> NotFound:
    access, repo = asking.access, asking.repo or "such a repository"
    if access.token is None:
        return NotFound(
            f"there is no {asking.kind} {repo}, or it is private",
            hint=f"Check the name; for a private one set {access.token_env} in {SECRETS}.",
        )
    return NotFound(
        f"there is no {asking.kind} {repo}, or it is private and the token may not see it",
        hint=f"Check the name, and what {access.token_env} may read.",
    )


def _offline() -> Unavailable:
    error = Unavailable(
        "the hub is not asked, for HF_HUB_OFFLINE is set",
        hint="Unset it, or give a path on this machine.",
    )
    error.retryable = False
    return error


def _disk_failed(error: OSError) -> PortError:
    where = f" ({error.filename})" if error.filename else ""
    return PortError(
        f"what was fetched can't be kept: {error.strerror}{where}",
        hint="Make room, or name another `folder` for the hub in the manifest.",
    )


def first_line(error: BaseException) -> str:
    """What an error says, cut to a line."""
    said = str(error).strip() or type(error).__name__
    return said.partition("\n")[0]


def _named(error: PortError, asking: Asking) -> PortError:
    error.port, error.adapter, error.asked = asking.port, "hugging_face", asking.asked
    if asking.access.token is not None:  # a hub may say again what it was sent
        error.message = error.message.replace(asking.access.token, "…")
        error.args = (error.message,)
    return error


def _cause(error: BaseException | None, asking: Asking) -> BaseException | None:
    """What a traceback may show as the cause."""
    token = asking.access.token
    return None if token is not None and token in str(error) else error
