"""Blobs at an address:

    URL/blobs/ab/ab12...        content, under its SHA-256
    URL/notes/ab/ab12...        what it is
    URL/tmp/<name>.<random>     on its way, where a file is seen before it is whole

A library's own attempts are left on: they send again the part of an upload that failed, and the
retry policy would have to send all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.spec import AbstractBufferedFile

from kitchen_core.adapters.blob_files import (
    BLOCK_BYTES,
    blob_name,
    blocks_of,
    receive,
    said_by,
    size_of,
    stopped_by,
    temporary_name,
)
from kitchen_core.adapters.fsspec.address import Address
from kitchen_core.adapters.fsspec.failures import is_missing, translated
from kitchen_core.adapters.stoppable import in_thread
from kitchen_core.train.ports.blobs import Seen, unseen
from kitchen_core.train.ports.errors import Unavailable

_READ_AHEAD_BYTES = 8 << 20


class FsspecBlobs:
    """Blobs behind a URL."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._opening = Lock()
        self._opened: tuple[AbstractFileSystem, str] | None = None

    @property
    def place(self) -> str:
        """The URL, without keys."""
        return self._address.place

    async def has(self, sha256: str) -> bool:
        """Whether the content is there."""
        return await in_thread(lambda check: self._has(sha256))

    async def put(self, path: Path, sha256: str, seen: Seen = unseen) -> bool:
        """Send a file; False where it was there. Raises InvalidRequest."""
        return await in_thread(lambda check: self._put(path, sha256, stopped_by(check, seen)))

    async def get(self, sha256: str, path: Path, seen: Seen = unseen) -> None:
        """Fetch content into a new file. Raises NotFound, InvalidRequest."""
        await in_thread(lambda check: self._get(sha256, path, stopped_by(check, seen)))

    async def put_note(self, sha256: str, note: str) -> None:
        """Keep a note on content."""
        await in_thread(lambda check: self._put_note(sha256, note.encode()))

    async def get_note(self, sha256: str) -> str:
        """The note on content. Raises NotFound."""
        return await in_thread(lambda check: self._get_note(sha256))

    async def probe(self) -> str:
        """Whether the place answers, and can be written to where trying costs nothing: at the hub it
        would be a commit.
        """
        return await in_thread(lambda check: self._probe())

    def _has(self, sha256: str) -> bool:
        with translated(self._address, f"look for {sha256[:12]}"):
            name = blob_name(sha256)
            return self._size(self._at(name)) is not None

    def _put(self, path: Path, sha256: str, seen: Seen) -> bool:
        with translated(self._address, f"keep {path.name}"):
            size, target = size_of(path), self._at(blob_name(sha256))
            if self._size(target) == size:
                return False
            self._send(blocks_of(path, sha256, seen), size, sha256, target)
            return True

    def _get(self, sha256: str, path: Path, seen: Seen) -> None:
        asked = f"fetch {sha256[:12]}"
        with said_by("fsspec", asked):  # an OSError is this machine's: see _blocks
            name = blob_name(sha256)
            blocks = self._blocks(name, asked)
            receive(blocks, sha256, path, seen, f"{self.place}/{name}")

    def _put_note(self, sha256: str, note: bytes) -> None:
        with translated(self._address, f"note what {sha256[:12]} is"):
            target = self._at(blob_name(sha256, "notes"))
            self._send([note], len(note), sha256, target)

    def _get_note(self, sha256: str) -> str:
        with translated(self._address, f"read what {sha256[:12]} is"):
            path = self._at(blob_name(sha256, "notes"))
            note: Any = self._fs.cat_file(path)
            return note.decode()

    def _probe(self) -> str:
        with translated(self._address, "look whether it answers"):
            if self._address.protocol in ("hf", "http"):
                found = self._fs.exists(self._at(""))
                return self.place if found else f"{self.place}, nothing there yet"
            trial = self._at(temporary_name("probe"))
            self._make_folder_of(trial)
            self._fs.pipe_file(trial, b"")
            self._fs.rm_file(trial)
            return self.place

    def _send(self, blocks: Iterable[bytes], size: int, sha256: str, target: str) -> None:
        """Write a file so that it has its name once it is whole."""
        if self._address.appears_whole:
            self._write(blocks, size, target)
            return
        partial = self._at(temporary_name(sha256))
        for path in (partial, target):
            self._make_folder_of(path)
        try:
            self._write(blocks, size, partial)
            self._fs.mv(partial, target)
        except BaseException:
            with suppress(Exception):  # what failed first is what has to be told
                self._fs.rm_file(partial)
            raise

    def _make_folder_of(self, path: str) -> None:
        """Object stores have no folders: there it would make a bucket."""
        if not self._address.appears_whole:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _write(self, blocks: Iterable[bytes], size: int, path: str) -> None:
        file: Any = self._fs.open(path, "wb")
        try:
            for block in blocks:
                file.write(block)
        except BaseException:
            _abandon(file)
            raise
        file.close()  # only now an upload is complete
        arrived = self._size(path)
        if arrived != size:
            raise Unavailable(
                f"of {size} bytes {arrived or 0} have arrived", hint="Push it once more."
            )

    def _blocks(self, name: str, asked: str) -> Iterator[bytes]:
        with translated(self._address, asked):
            # A web server may know no ranges; 0 reads its answer as it comes.
            ahead = 0 if self._address.protocol == "http" else _READ_AHEAD_BYTES
            options = {"block_size": ahead, "cache_type": "readahead"}
            file: Any = self._fs.open(self._at(name), "rb", **options)
            with file:
                while block := file.read(BLOCK_BYTES):
                    yield block

    def _size(self, path: str) -> int | None:
        """A file's size; None where there is none, and -1 where the place does not say."""
        self._fs.invalidate_cache()
        try:
            size = self._fs.info(path)["size"]
        except FileNotFoundError as error:
            if not is_missing(error):
                raise
            return None
        return -1 if size is None else size

    @property
    def _fs(self) -> AbstractFileSystem:
        return self._open()[0]

    def _at(self, name: str) -> str:
        """The path below the address's folder."""
        return f"{self._open()[1]}/{name}".rstrip("/")

    def _open(self) -> tuple[AbstractFileSystem, str]:
        with self._opening:
            if self._opened is None:
                self._opened = self._address.open()
            return self._opened


def _abandon(file: Any) -> None:
    """Close a file without sending the rest of it, which would give half of it the name."""
    if not isinstance(file, AbstractBufferedFile):
        file.close()
        return
    with suppress(Exception):  # what failed first is what has to be told
        file.discard()
    file.closed = True  # else it is sent when the object goes
    local = getattr(file, "temp_file", None)  # the hub's file system collects a file here first
    if local is not None:
        local.close()
        Path(local.name).unlink(missing_ok=True)
