"""Keeping account of an artifact on its way, and telling of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from kitchen_core.train.ports.blobs import Seen
from kitchen_daemon.models import Begun, FileProgress, TransferItem, Transferred
from kitchen_daemon.transfers.parcels import Label

Tell = Callable[[TransferItem], None]
"""Takes what happens, from any thread."""


class Account:
    """What has been moved of one artifact. place: the blob store's."""

    def __init__(self, sha256: str, label: Label, place: str, tell: Tell) -> None:
        self._sha256 = sha256
        self._label = label
        self._place = place
        self._tell = tell
        self._files = 0
        self._moved_files = 0
        self._moved_bytes = 0

    def begin(self, files: int) -> None:
        """It sets out with so many files."""
        begun = Begun(
            sha256=self._sha256,
            name=self._label.name,
            files=files,
            size_bytes=self._label.size_bytes,
            place=self._place,
        )
        self._tell(TransferItem(begun=begun))

    def seen(self, path: str, size: int | None = None) -> Seen:
        """Takes how far a file is; size: None where that is not known before it has come."""
        return lambda done: self._say(path, max(size or 0, done), done, "moving")

    def add(self, path: str, size: int, *, moved: bool) -> None:
        """A file has arrived, or was there before."""
        self._files += 1
        if moved:
            self._moved_files += 1
            self._moved_bytes += size
        self._say(path, size, size, "moved" if moved else "there")

    def close(self) -> Transferred:
        """All of it is there."""
        base = self._label.base
        return Transferred(
            sha256=self._sha256,
            name=self._label.name,
            kind=self._label.kind,
            files=self._files,
            size_bytes=self._label.size_bytes,
            moved_files=self._moved_files,
            moved_bytes=self._moved_bytes,
            place=self._place,
            base=base.ref if base else None,
        )

    def _say(
        self, path: str, size: int, done: int, state: Literal["moving", "moved", "there"]
    ) -> None:
        path = self._label.name if self._label.kind == "file" else path
        progress = FileProgress(path=path, size_bytes=size, done_bytes=done, state=state)
        self._tell(TransferItem(file=progress))
