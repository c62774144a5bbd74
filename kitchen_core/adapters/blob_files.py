"""What every blob store does with files on this machine: read them in blocks, and write what comes
back so that only the right content, whole, ever has the name.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kitchen_core.adapters.stoppable import Check
from kitchen_core.train.ports.blobs import Seen
from kitchen_core.train.ports.errors import InvalidRequest, PortError

BLOCK_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def blob_name(sha256: str, kind: str = "blobs") -> str:
    """Where content lies below a store's root. Raises InvalidRequest for what is no SHA-256."""
    if not _SHA256.fullmatch(sha256):
        raise InvalidRequest(
            f"'{sha256}' is not a SHA-256", hint="Give all of its 64 characters, in lower case."
        )
    return f"{kind}/{sha256[:2]}/{sha256}"


def temporary_name(sha256: str) -> str:
    """Where content on its way lies, below a store's root; another name each time."""
    return f"tmp/{sha256}.{secrets.token_hex(8)}"


def size_of(path: Path) -> int:
    """A file's size in bytes. Raises InvalidRequest where it can't be read."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def blocks_of(path: Path, sha256: str, seen: Seen) -> Iterator[bytes]:
    """A file's bytes in order. Raises InvalidRequest where it can't be read, and at their end where
    their hash is another one.
    """
    yield from checked(_read(path), sha256, seen, _changed(path))


def checked(
    blocks: Iterable[bytes], sha256: str, seen: Seen, wrong: Callable[[str], InvalidRequest]
) -> Iterator[bytes]:
    """The blocks, hashed as they pass. Raises what `wrong` makes of the hash that they have, at their
    end, where it is not the one expected.
    """
    digest, done = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        yield block
        done += len(block)
        seen(done)
    if digest.hexdigest() != sha256:
        raise wrong(digest.hexdigest())


@contextmanager
def new_file(path: Path, partial: Path) -> Iterator[Callable[[bytes], int]]:
    """A file that is written as `partial` and has its name once it is whole and on the disk. Where the
    body raises, nothing is left. Raises OSError.
    """
    try:
        with partial.open("xb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def receive(blocks: Iterable[bytes], sha256: str, path: Path, seen: Seen, came_from: str) -> None:
    """Write content that comes from a store to a new file. Raises InvalidRequest where it is not what
    the hash says, and OSError where it can't be written; nothing is left at `path` then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with new_file(path, partial) as write:
        for block in checked(blocks, sha256, seen, _damaged(came_from)):
            write(block)


@contextmanager
def said_by(adapter: str, asked: str) -> Iterator[None]:
    """Name the adapter and what was asked in the PortErrors that pass."""
    try:
        yield
    except PortError as error:
        error.port, error.adapter, error.asked = "blob_store", adapter, asked
        raise


def stopped_by(check: Check, seen: Seen) -> Seen:
    """`seen` that also stops where `check` does."""

    def both(done: int) -> None:
        check()
        seen(done)

    return both


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InvalidRequest:
    return InvalidRequest(
        f"{path} can't be read: {error.strerror}", hint="Look at this machine's disk."
    )


def _changed(path: Path) -> Callable[[str], InvalidRequest]:
    return lambda found: InvalidRequest(
        f"{path} is not what it should be: its SHA-256 is {found}",
        hint="It has changed on this machine's disk; nothing was kept of it.",
    )


def _damaged(came_from: str) -> Callable[[str], InvalidRequest]:
    return lambda found: InvalidRequest(
        f"what came from {came_from} is damaged: its SHA-256 is {found}",
        hint="Delete it there and push it again from where it was made.",
    )
