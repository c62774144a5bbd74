"""Blobs in a folder:

    blobs/ab/ab12...        content, under its SHA-256
    notes/ab/ab12...        what it is
    tmp/<name>.<random>     on its way, with a name of its own

Content is written and fsynced under a temporary name and then renamed, so what has its name is whole,
however many machines write. Those that share the folder can't see each other's locks, so what a writer
that died has left goes by its age.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from kitchen_core.adapters.blob_files import (
    BLOCK_BYTES,
    blob_name,
    blocks_of,
    new_file,
    receive,
    said_by,
    size_of,
    stopped_by,
    sync_folder,
    temporary_name,
)
from kitchen_core.adapters.local_blobs.failures import translated
from kitchen_core.adapters.stoppable import in_thread
from kitchen_core.train.ports.blobs import Seen, unseen

LEFT_AFTER_S = 24 * 3600.0
"""A temporary file that nobody has written to for so long belongs to nobody."""


class LocalBlobs:
    """A folder of blobs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    async def has(self, sha256: str) -> bool:
        """Whether the content is there."""
        with translated(self._folder, f"look for {sha256[:12]}"):
            blob = self._folder / blob_name(sha256)
            return await in_thread(lambda check: blob.is_file())

    async def put(self, path: Path, sha256: str, seen: Seen = unseen) -> bool:
        """Copy a file there, onto the disk; False where it was there. Raises InvalidRequest."""
        return await in_thread(lambda check: self._put(path, sha256, stopped_by(check, seen)))

    async def get(self, sha256: str, path: Path, seen: Seen = unseen) -> None:
        """Copy content to a new file. Raises NotFound, InvalidRequest."""
        await in_thread(lambda check: self._get(sha256, path, stopped_by(check, seen)))

    async def put_note(self, sha256: str, note: str) -> None:
        """Keep a note on content."""
        with translated(self._folder, f"note what {sha256[:12]} is"):
            name = blob_name(sha256, "notes")
            await in_thread(lambda check: self._write([note.encode()], sha256, name))

    async def get_note(self, sha256: str) -> str:
        """The note on content. Raises NotFound."""
        with translated(self._folder, f"read what {sha256[:12]} is"):
            note = self._folder / blob_name(sha256, "notes")
            return await in_thread(lambda check: note.read_text(encoding="utf-8"))

    async def probe(self) -> str:
        """Write a file and take it away again."""
        with translated(self._folder, "try to write"):
            return await in_thread(lambda check: self._probe())

    def _put(self, path: Path, sha256: str, seen: Seen) -> bool:
        with translated(self._folder, f"keep {path.name}"):
            name = blob_name(sha256)
            if _size(self._folder / name) == size_of(path):
                return False
            self._write(blocks_of(path, sha256, seen), sha256, name)
            return True

    def _get(self, sha256: str, path: Path, seen: Seen) -> None:
        asked = f"fetch {sha256[:12]}"
        with said_by("local_blobs", asked):  # an OSError is this machine's: see _blocks
            blob = self._folder / blob_name(sha256)
            receive(self._blocks(blob, asked), sha256, path, seen, str(blob))

    def _blocks(self, blob: Path, asked: str) -> Iterator[bytes]:
        with translated(self._folder, asked), blob.open("rb") as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def _write(self, blocks: Iterable[bytes], sha256: str, name: str) -> None:
        target, partial = self._folder / name, self._folder / temporary_name(sha256)
        self._make(partial.parent)
        self._sweep(partial.parent)
        self._make(target.parent)
        with new_file(target, partial) as write:
            for block in blocks:
                write(block)

    def _make(self, folder: Path) -> None:
        """Make a folder, and those above it, durably."""
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)

    def _sweep(self, folder: Path) -> None:
        """Delete what writers that died have left."""
        for left in folder.iterdir():
            with suppress(FileNotFoundError):  # somebody else sweeps too
                if time.time() - left.stat().st_mtime > LEFT_AFTER_S:
                    left.unlink()

    def _probe(self) -> str:
        self._make(self._folder / "tmp")
        file = self._folder / temporary_name("probe")
        file.write_bytes(b"")
        file.unlink()
        free = shutil.disk_usage(self._folder).free / 1024**3
        return f"{self._folder}, {free:.1f} GiB free"


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
