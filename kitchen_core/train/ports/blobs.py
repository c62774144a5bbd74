"""The blob port: content by its SHA-256, kept somewhere else than in this home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Seen = Callable[[int], None]
"""Takes how many bytes of a file have gone so far, from any thread."""


def unseen(done: int) -> None:
    """Where nobody looks."""


class BlobStore(Protocol):
    """Keeps files under the SHA-256 of their bytes. Content that is there already is not sent again,
    and what comes back is what was sent: it is hashed on its way. Beside content it keeps a note, a
    small text on what that content is.

    Every method raises the PortErrors of the way there, and InvalidRequest for what is no SHA-256 in
    hex. A transfer that is cancelled leaves nothing under a name.
    """

    @property
    def place(self) -> str:
        """Where it keeps them, for people; without keys."""
        ...

    async def has(self, sha256: str) -> bool:
        """Whether it has this content, whole."""
        ...

    async def put(self, path: Path, sha256: str, seen: Seen = unseen) -> bool:
        """Keep a file whose hash that is; False where it was there already. It is there whole or not
        at all. Raises InvalidRequest where the file is another one.
        """
        ...

    async def get(self, sha256: str, path: Path, seen: Seen = unseen) -> None:
        """Write the content to a new file, durably. Raises NotFound, or InvalidRequest where what came
        back is not what was sent, and OSError where this machine's disk fails; nothing is left at
        `path` then.
        """
        ...

    async def put_note(self, sha256: str, note: str) -> None:
        """Keep a note on content, in place of the one before."""
        ...

    async def get_note(self, sha256: str) -> str:
        """The note on content. Raises NotFound."""
        ...
