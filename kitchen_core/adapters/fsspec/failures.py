"""What file systems raise, in the words of the error family.

Each of them has a library of its own below, which may not be installed; so they are told apart by
what they are built on, the status of an HTTP answer, and their names.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kitchen_core.adapters.blob_files import said_by
from kitchen_core.adapters.fsspec.address import Address
from kitchen_core.adapters.retry_after import retry_after
from kitchen_core.adapters.stoppable import Stopped
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

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def translated(address: Address, asked: str) -> Iterator[None]:
    """Turn every failure of the place inside into a PortError that says what to do."""
    with said_by("fsspec", asked):
        try:
            yield
        except (PortError, Stopped):
            raise
        except Exception as error:  # of whatever library
            failure = _unmasked(error)
            if not _is_the_places(failure):
                raise
            raise _in_our_words(failure, address) from error


def is_missing(error: FileNotFoundError) -> bool:
    """Whether the file is not there, and not only out of reach."""
    return _unmasked(error) is error


def _is_the_places(error: Exception) -> bool:
    """Whether it comes from there, and is no mistake of this program."""
    return isinstance(error, OSError | NotImplementedError) or (
        type(error).__module__.partition(".")[0] not in ("builtins", "kitchen_core")
    )


def _unmasked(error: Exception) -> Exception:
    """The failure itself: one of a web server's passes for a missing file, and the hub's client may be
    this process's own, which wraps what may pass.
    """
    cause = error.__cause__
    if not isinstance(cause, Exception):
        return error
    module = type(cause).__module__
    is_of_the_web = isinstance(error, FileNotFoundError) and module.startswith("aiohttp")
    is_wrapped = type(error).__module__.startswith("kitchen_core.")
    return cause if is_wrapped or (is_of_the_web and _status(cause) != 404) else error


def _in_our_words(error: Exception, address: Address) -> PortError:
    said = address.redacted(_first_line(error))
    keys = f"Set {' and '.join(address.key_names[:2])}." if address.key_names else "Check the URL."
    status, name = _status(error), type(error).__name__
    match error:
        case FileNotFoundError():
            return NotFound(
                f"{address.place} has no such content: {said}",
                hint="Was it pushed, and is the address right?",
            )
        case PermissionError():
            return AuthError(f"{address.place} refused: {said}", hint=keys)
        case NotImplementedError():
            return Unsupported(
                f"{address.place} can only be read", hint="Name another place to push to."
            )
        case OSError() if error.errno in _FULL:
            return PortError(f"{address.place} is full: {said}", hint="Free some space there.")
        case TimeoutError():
            return Timeout(f"{address.place} did not answer in time", hint="Try again later.")
    if status in (401, 403) or "Credentials" in name or "Authentication" in name:
        return AuthError(f"{address.place} refused: {said}", hint=keys)
    if status == 404:
        return NotFound(
            f"{address.place} has no such content: {said}",
            hint="Was it pushed, and is the address right?",
        )
    if status == 429:
        return RateLimited(
            f"{address.place} asks to slow down", retry_after=_wait(error), hint="Wait a little."
        )
    if "Timeout" in name:
        return Timeout(f"{address.place} did not answer in time: {said}", hint="Try again later.")
    if status is not None and 400 <= status < 500 and status != 408:
        return InvalidRequest(f"{address.place} answers {status}: {said}", hint="Check the URL.")
    return Unavailable(f"{address.place} can't be reached: {said}", hint="Check the network.")


def _status(error: BaseException | None) -> int | None:
    """The status of the HTTP answer that an error stands for, wherever its library keeps it."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    elif response is not None:  # httpx, requests
        found = getattr(response, "status_code", None)
    else:  # aiohttp, gcsfs, azure
        found = next(
            (getattr(error, name, None) for name in ("status", "status_code", "code")), None
        )
    return found if isinstance(found, int) else None


def _wait(error: Exception) -> float | None:
    response = getattr(error, "response", error)
    if isinstance(response, Mapping):  # botocore
        headers = response.get("ResponseMetadata", {}).get("HTTPHeaders")
    else:
        headers = getattr(response, "headers", None)
    if not isinstance(headers, Mapping):
        return None
    return retry_after({str(name).lower(): str(value) for name, value in headers.items()})


def _first_line(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0]
