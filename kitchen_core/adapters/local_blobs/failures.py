"""What a folder's file system says, in the words of the error family."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kitchen_core.adapters.blob_files import said_by
from kitchen_core.train.ports.errors import AuthError, NotFound, PortError, Timeout, Unavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER = (errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)


@contextmanager
def translated(folder: Path, asked: str) -> Iterator[None]:
    """Turn every failure of the folder inside into a PortError that says what to do."""
    with said_by("local_blobs", asked):
        try:
            yield
        except OSError as error:
            raise _in_our_words(error, folder) from error


def _in_our_words(error: OSError, folder: Path) -> PortError:
    match error:
        case FileNotFoundError():
            return NotFound(f"{folder} has no such content", hint="Push it from where it was made.")
        case PermissionError():
            return AuthError(f"{folder} can't be used: {error}", hint=f"See who owns {folder}.")
        case TimeoutError():
            return Timeout(f"{folder} does not answer: {error}", hint="Look at its server.")
        case _ if error.errno in _FULL:
            return PortError(
                f"the disk of {folder} is full: {error}",
                hint="Free some space there, or name another folder in the manifest.",
            )
        case _ if error.errno in _NO_FOLDER:
            return PortError(f"{folder} can't be written: {error}", hint="Name another folder.")
        case _:
            return Unavailable(f"{folder} failed: {error}", hint="Is its disk there and well?")
