"""Bringing artifacts from a blob store into a run store; `pushing` says how they lie there.

Files are brought into a folder of the artifact's own, which stays where that is interrupted, so that the
next pull goes on with it. Only what is whole has a name in the store.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from weakref import WeakValueDictionary

from kitchen_core.content import sha256_of_file
from kitchen_core.store.errors import NotFound
from kitchen_core.store.lineage import artifact_node
from kitchen_core.store.records import AdapterBaseRecord
from kitchen_core.store.store import Store
from kitchen_core.telemetry.ports import Node
from kitchen_core.train.ports.blobs import BlobStore
from kitchen_core.train.ports.errors import InvalidRequest
from kitchen_daemon.models import Transferred
from kitchen_daemon.transfers.account import Account, Tell
from kitchen_daemon.transfers.parcels import Label
from kitchen_daemon.transfers.reading import (
    MOST_MANIFEST_BYTES,
    is_sha256,
    read_label,
    read_manifest,
    refused,
)

KEPT_S = 7 * 24 * 3600.0
"""How long what an interrupted pull has brought is kept for the next one."""

_BASE = "artifact:"
Locks = WeakValueDictionary[str, asyncio.Lock]
"""One for each artifact that is being brought."""


class Pulling:
    """Brings artifacts here. scratch: a folder on the store's disk. locks: those of all who pull into this
    store; of two for the same artifact, the second waits and finds it here.
    """

    def __init__(
        self, blobs: BlobStore, store: Store, scratch: Path, tell: Tell, locks: Locks
    ) -> None:
        self._blobs = blobs
        self._store = store
        self._scratch = scratch
        self._tell = tell
        self._locks = locks

    async def pull(self, sha256: str) -> list[Transferred]:
        """Bring an artifact here, and before an adapter its base where that was pushed with it.

        Raises PortErrors, StoreFull, OSError.
        """
        if not is_sha256(sha256):
            raise InvalidRequest(
                f"{sha256!r} is not a SHA-256", hint="Give all of its 64 characters, in lower case."
            )
        label = await self._label(sha256)
        brought: list[Transferred] = []
        if label.base is not None and label.base.ref.startswith(_BASE):
            brought.append(await self._pull_base(label.base.ref.removeprefix(_BASE)))
        brought.append(await self._bring(sha256, label))
        if label.base is not None:
            await asyncio.to_thread(self._keep_base, sha256, label.name, label.base)
        return brought

    async def _pull_base(self, sha256: str) -> Transferred:
        label = await self._label(sha256)
        if label.base is not None:
            raise refused(f"the base {sha256[:12]}", "is itself an adapter")
        return await self._bring(sha256, label)

    async def _label(self, sha256: str) -> Label:
        note = await self._blobs.get_note(sha256)
        return read_label(note, sha256, self._blobs.place)

    async def _bring(self, sha256: str, label: Label) -> Transferred:
        async with self._locks.setdefault(sha256, asyncio.Lock()):
            account = Account(sha256, label, self._blobs.place, self._tell)
            if await asyncio.to_thread(self._is_stored, sha256):
                return account.close()
            hashes = {"file": sha256} if label.kind == "file" else await self._manifest(sha256)
            account.begin(len(hashes))
            folder = await asyncio.to_thread(self._folder, sha256)
            for path, content in hashes.items():
                await self._fetch(content, folder / path, path, account)
            await asyncio.to_thread(self._store_it, sha256, label, folder, hashes)
            return account.close()

    async def _manifest(self, sha256: str) -> dict[str, str]:
        """A tree's files and their hashes."""

        def seen(done: int) -> None:
            if done > MOST_MANIFEST_BYTES:
                raise refused(sha256[:12], "is larger than a manifest of a tree can be")

        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            file = Path(folder) / "manifest"
            await self._blobs.get(sha256, file, seen)
            return read_manifest(file.read_bytes(), sha256)

    def _folder(self, sha256: str) -> Path:
        """Where an artifact's files come together. What nobody has gone on with is deleted."""
        folder = self._scratch / f"pull-{sha256}"
        folder.mkdir(exist_ok=True)
        os.utime(folder)
        for other in self._scratch.glob("pull-*"):
            with suppress(FileNotFoundError):  # it has become whole just now
                if time.time() - other.stat().st_mtime > KEPT_S:
                    shutil.rmtree(other, ignore_errors=True)
        return folder

    async def _fetch(self, sha256: str, file: Path, path: str, account: Account) -> None:
        is_here = await asyncio.to_thread(_is_whole, file, sha256)
        if not is_here:
            await self._blobs.get(sha256, file, account.seen(path))
        account.add(path, _size(file), moved=not is_here)

    def _is_stored(self, sha256: str) -> bool:
        with suppress(NotFound):
            return self._store.is_whole(self._store.find_artifact(sha256))
        return False

    def _store_it(self, sha256: str, label: Label, folder: Path, paths: Collection[str]) -> None:
        """Give the store what has been brought, under its name, as nobody's."""
        _keep_only(paths, folder)
        source = folder if label.kind == "tree" else folder / "file"
        storing = self._store.storing(
            label.kind, source, label.name, run_id=None, step=None, attempt=None, move=True
        )
        with storing as (_, stored):
            if stored.sha256 != sha256:
                raise refused(sha256[:12], f"has become another one here: {stored.sha256[:12]}")
        shutil.rmtree(folder, ignore_errors=True)
        self._store.upsert_node(artifact_node(sha256, label.name))

    def _keep_base(self, sha256: str, name: str, base: AdapterBaseRecord) -> None:
        self._store.keep_base(sha256, base)
        if base.sha256 is not None:
            root = Node(f"artifact:{base.sha256}", "model", base.ref, base.sha256)
            self._store.add_edge(root, artifact_node(sha256, name), "base")


def _keep_only(paths: Collection[str], folder: Path) -> None:
    """Delete every other file there, such as one that a killed pull had not brought to its end."""
    for file in list(folder.rglob("*")):
        if not file.is_dir() and file.relative_to(folder).as_posix() not in paths:
            file.unlink()


def _is_whole(file: Path, sha256: str) -> bool:
    return file.is_file() and sha256_of_file(file) == sha256


def _size(file: Path) -> int:
    return file.stat().st_size
