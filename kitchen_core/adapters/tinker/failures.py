"""What the Tinker SDK raises, in the words of the error family."""

from __future__ import annotations

import re

from tinker import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    RequestFailedError,
    TinkerError,
)
from tinker.types import RequestErrorCategory

from kitchen_core.adapters.retry_after import retry_after
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

_REFUSED = (400, 409, 413, 422)
_FOR_PEOPLE = re.compile(r"^Request failed: (.*?) for self\.request_id=.*$", re.DOTALL)
"""How the SDK wraps what a server said of a request that failed."""


def translate(error: BaseException) -> Exception:
    """A PortError that says what to do; an OSError (a full disk, say) stays as it is."""
    match error:
        case PortError():
            return error
        case APITimeoutError():
            return Timeout("no answer in time", hint="Try again later.")
        case APIConnectionError():
            cause = error.__cause__ or error
            return Unavailable(
                f"can't reach the server: {cause}", hint="Check base_url and the network."
            )
        case APIStatusError():
            return _from_answer(error)
        case RequestFailedError():
            return _from_request(error)
        case APIResponseValidationError():
            return Unavailable(
                f"the server's answer can't be read: {error}", hint="Check that base_url is right."
            )
        case OSError() if not isinstance(error, TimeoutError):
            return error
        case _ if isinstance(error.__cause__, APIStatusError):
            return translate(error.__cause__)  # asking for a result wraps it in a ValueError
        case TinkerError():
            return PortError(str(error), hint="Check the adapter's options in the manifest.")
        case _:
            return PortError(f"{type(error).__name__}: {error}")


def _from_answer(error: APIStatusError) -> PortError:
    status, said = error.status_code, _detail(error)
    if status in (401, 403):
        return AuthError(f"the server refused the key: {said}", hint="Set TINKER_API_KEY.")
    if status == 402:
        return AuthError(f"the account is used up: {said}", hint="Add credit to the account.")
    if status in (404, 410):
        return NotFound(
            f"the server has no such thing: {said}",
            hint="Check the model's name and base_url; a checkpoint may have expired.",
        )
    if status == 429:
        return RateLimited(
            f"the server asks to slow down: {said}",
            retry_after=retry_after(error.response.headers),
            hint="Wait a little, or run fewer at once.",
        )
    if status == 408 or status >= 500:
        return Unavailable(f"the server answers {status}: {said}", hint="Try again later.")
    if status in _REFUSED:
        return _refused(said)
    return PortError(f"the server answers {status}: {said}", hint="Look at what was asked.")


def _from_request(error: RequestFailedError) -> PortError:
    """Of a request that was taken, and failed while it was worked on."""
    found = _FOR_PEOPLE.match(error.message)
    said = found.group(1) if found else error.message
    if error.category is RequestErrorCategory.Server:
        return Unavailable(f"the server failed: {said}", hint="Resume the run.")
    return _refused(said)


def _refused(said: str) -> PortError:
    if re.search(
        r"loss_fn: Input should be|loss_fn .* is not one of|(unknown|unsupported) loss",
        said,
        re.IGNORECASE,
    ):
        return Unsupported(
            f"the server does not know this loss: {said}",
            hint="Choose another loss, or a server that has it.",
        )
    return InvalidRequest(f"the server won't do this: {said}", hint="Look at what was asked.")


def _detail(error: APIStatusError) -> str:
    """What the server said, without the SDK's words around it."""
    body = error.body
    if isinstance(body, dict):
        said = body.get("detail") or body.get("error") or body.get("message")
        if isinstance(said, list):  # of fields that do not fit
            return "; ".join(_field(each) for each in said)
        if said:
            return str(said)
    return error.message


def _field(wrong: object) -> str:
    if not isinstance(wrong, dict):
        return str(wrong)
    place = [str(part) for part in wrong.get("loc", ())]
    return f"{place[-1] if place else 'the request'}: {wrong.get('msg')}"


_LOST = re.compile(
    r"\b(?:model|session|training run)\b[^.]{0,80}?"
    r"\b(?:not loaded|not found|does not exist|expired|finished|closed)\b",
    re.IGNORECASE,
)


def lacks_route(error: BaseException | None) -> bool:
    """Whether a server has no such route, rather than a route that finds nothing: then it says so and
    names nothing.
    """
    if not isinstance(error, APIStatusError):
        return False
    unnamed = error.body in ({"detail": "Not Found"}, "Not Found")
    return error.status_code in (405, 501) or (error.status_code == 404 and unnamed)


def is_lost(error: BaseException | None) -> bool:
    """Whether a request failed because the server has the model no longer, or the client can't use it.

    A server that was killed answers again once it is back, and then does not know the model: SkyRL says
    400 "Model ... not loaded" to whoever asks for a result, others 404 or 410. The SDK asks on through
    the time in between. Where that lasted over five minutes it gives up a request that was not taken
    yet; the server waits for its number in vain then, so the model is lost too. After a failed
    request of its own the SDK's client calls itself poisoned, and takes no more.
    """
    match error:
        case APIStatusError() if lacks_route(error):
            return False
        case APIStatusError() if error.status_code in (404, 410) or error.status_code >= 500:
            return True
        case APIConnectionError():
            return True
        case APIStatusError() | RequestFailedError():
            return _LOST.search(str(error)) is not None
        case RuntimeError():
            return "poisoned" in str(error) or "closed" in str(error)  # with the session
        case ValueError() if error.__cause__:
            return is_lost(error.__cause__)
        case _:
            return type(error).__name__ == "RetryableException"  # a result that is gone: 410
