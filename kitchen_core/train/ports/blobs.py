"""The blob port: content by its SHA-256, kept somewhere else than in this home."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class BlobStore(Protocol):
    """Keeps files under the SHA-256 of their bytes. Content that is there already is not sent again,
    and what comes back is what was sent: it is hashed on its way.

    Every method raises the PortErrors of the way there.
    """

    @property
    def place(self) -> str:
        """Where it keeps them, for people; without keys."""
        ...

    async def has(self, sha256: str) -> bool:
        """Whether it has this content, whole."""
        ...

    async def put(self, path: Path, sha256: str) -> None:
        """Keep a file whose hash that is. It is there whole or not at all. Raises InvalidRequest where
        the file is another one.
        """
        ...

    async def get(self, sha256: str, path: Path) -> None:
        """Write the content to a new file. Raises NotFound, or InvalidRequest where what came back is
        not what was sent; nothing is left at `path` then.
        """
        ...
