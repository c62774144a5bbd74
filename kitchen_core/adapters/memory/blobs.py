"""A blob store in memory."""

from __future__ import annotations

from pathlib import Path

from kitchen_core.adapters.blob_files import blob_name, blocks_of, receive, said_by
from kitchen_core.train.ports.blobs import Seen, unseen
from kitchen_core.train.ports.errors import NotFound


class MemoryBlobs:
    """Keeps content as long as it lives itself."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    @property
    def place(self) -> str:
        """Nowhere."""
        return "memory"

    def damage(self, sha256: str) -> None:
        """Flip the first bit of kept content, as a failing disk may."""
        name = blob_name(sha256)
        first, *rest = self._kept[name]
        self._kept[name] = bytes([first ^ 1, *rest])

    async def has(self, sha256: str) -> bool:
        """Whether the content is here."""
        with said_by("memory", f"look for {sha256[:12]}"):
            return blob_name(sha256) in self._kept

    async def put(self, path: Path, sha256: str, seen: Seen = unseen) -> bool:
        """Keep a file's bytes; False where they are here. Raises InvalidRequest."""
        with said_by("memory", f"keep {path.name}"):
            name = blob_name(sha256)
            if name in self._kept:
                return False
            self._kept[name] = b"".join(blocks_of(path, sha256, seen))
            return True

    async def get(self, sha256: str, path: Path, seen: Seen = unseen) -> None:
        """Write content to a new file. Raises NotFound, InvalidRequest."""
        with said_by("memory", f"fetch {sha256[:12]}"):
            content = self._find(blob_name(sha256))
            receive([content] if content else [], sha256, path, seen, self.place)

    async def put_note(self, sha256: str, note: str) -> None:
        """Keep a note on content."""
        with said_by("memory", f"note what {sha256[:12]} is"):
            self._kept[blob_name(sha256, "notes")] = note.encode()

    async def get_note(self, sha256: str) -> str:
        """The note on content. Raises NotFound."""
        with said_by("memory", f"read what {sha256[:12]} is"):
            return self._find(blob_name(sha256, "notes")).decode()

    def _find(self, name: str) -> bytes:
        if name not in self._kept:
            raise NotFound("there is no such content", hint="Push it from where it was made.")
        return self._kept[name]
