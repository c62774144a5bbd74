"""What the openai SDK raises, in the words of the error family."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from openai import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    OpenAIError,
)

from kitchen_core.adapters.retry_after import retry_after
from kitchen_core.train.ports.errors import (
    AuthError,
    InvalidRequest,
    NotFound,
    PortError,
    RateLimited,
    Timeout,
    Unavailable,
)

_REFUSED_FOR_THIS_ONE = (400, 413, 422)


@contextmanager
def translated(asked: str) -> Iterator[None]:
    """Turn every failure inside into a PortError that says what to do."""
    try:
        yield
    except PortError as error:
        raise _named(error, asked) from error.__cause__
    except OpenAIError as error:
        raise _named(_in_our_words(error), asked) from error


def _in_our_words(error: OpenAIError) -> PortError:
    match error:
        case APITimeoutError():
            return Timeout(
                "no answer in time", hint="Try again later, or raise timeout_s in the manifest."
            )
        case APIConnectionError():
            cause = error.__cause__ or error
            return Unavailable(
                f"can't reach the server: {cause}", hint="Check base_url and the network."
            )
        case APIStatusError():
            return _from_answer(error)
        case APIError():
            return Unavailable(
                f"the server's answer can't be read: {error}", hint="Check that base_url is right."
            )
        case _:
            return InvalidRequest(str(error), hint="Check the adapter's options in the manifest.")


def _from_answer(error: APIStatusError) -> PortError:
    status = error.status_code
    said = error.message.removeprefix(f"Error code: {status} - ")
    if status in (401, 403):
        return AuthError(f"the server refused the key: {said}", hint="Set OPENAI_API_KEY.")
    if status == 404:
        return NotFound(
            f"there is no such model or address: {said}", hint="Check the model's name."
        )
    if status == 429:
        if error.code == "insufficient_quota":
            return AuthError(f"the account is used up: {said}", hint="Add credit to the account.")
        return RateLimited(
            f"the server asks to slow down: {said}",
            retry_after=retry_after(error.response.headers),
            hint="Wait a little, or lower concurrency in the manifest.",
        )
    if status in (408, 409) or status >= 500:
        return Unavailable(f"the server answers {status}: {said}", hint="Try again later.")
    if status in _REFUSED_FOR_THIS_ONE:
        return InvalidRequest(
            f"the server won't answer this: {said}", hint="Look at what was asked."
        )
    return PortError(f"the server answers {status}: {said}", hint="Look at what was asked.")


def _named(error: PortError, asked: str) -> PortError:
    error.port, error.adapter, error.asked = "llm", "openai", asked
    return error
