"""Bringing artifacts from a blob store into a run store; `pushing` says how they lie there.

Files are brought into a folder of the artifact's own, which stays where that is interrupted, so that the
next pull goes on with it. Only what is whole has a name in the store.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

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

KEPT_S = 7 * 24 * 3600.0
"""How long what an interrupted pull has brought is kept for the next one."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_BASE = "artifact:"


class Pulling:
    """Brings artifacts here. scratch: a folder on the store's disk."""

    def __init__(self, blobs: BlobStore, store: Store, scratch: Path, tell: Tell) -> None:
        self._blobs = blobs
        self._store = store
        self._scratch = scratch
        self._tell = tell

    async def pull(self, sha256: str) -> list[Transferred]:
        """Bring an artifact here, and before an adapter its base where that was pushed with it.

        Raises PortErrors, StoreFull, OSError.
        """
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
            raise _refused(f"the base {sha256[:12]}", "is itself an adapter")
        return await self._bring(sha256, label)

    async def _label(self, sha256: str) -> Label:
        note = await self._blobs.get_note(sha256)
        try:
            return Label.model_validate_json(note)
        except ValidationError:
            where = f"the label of {sha256[:12]} at {self._blobs.place}"
            raise _refused(where, "can't be read") from None

    async def _bring(self, sha256: str, label: Label) -> Transferred:
        account = Account(sha256, label, self._blobs.place, self._tell)
        if await asyncio.to_thread(self._is_stored, sha256):
            return account.close()
        self._sweep()
        hashes = {"file": sha256} if label.kind == "file" else await self._manifest(sha256)
        account.begin(len(hashes))
        folder = self._scratch / f"pull-{sha256}"
        for path, content in hashes.items():
            await self._fetch(content, folder / _inside(path), path, account)
        await asyncio.to_thread(self._store_it, sha256, label, folder)
        return account.close()

    async def _manifest(self, sha256: str) -> dict[str, str]:
        """A tree's files and their hashes. Raises InvalidRequest where the content is no such thing."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            file = Path(folder) / "manifest"
            await self._blobs.get(sha256, file)
            try:
                hashes = json.loads(file.read_bytes())
            except ValueError:
                hashes = None
        if not isinstance(hashes, dict) or not all(map(_is_entry, hashes.items())):
            raise _refused(sha256[:12], "is no manifest of a tree")
        return hashes

    async def _fetch(self, sha256: str, file: Path, path: str, account: Account) -> None:
        is_here = await asyncio.to_thread(_is_whole, file, sha256)
        if not is_here:
            await self._blobs.get(sha256, file, account.seen(path))
        account.add(path, _size(file), moved=not is_here)

    def _is_stored(self, sha256: str) -> bool:
        with suppress(NotFound):
            return self._store.is_whole(self._store.find_artifact(sha256))
        return False

    def _store_it(self, sha256: str, label: Label, folder: Path) -> None:
        """Give the store what has been brought, under its name, as nobody's."""
        folder.mkdir(exist_ok=True)  # a tree may have no files
        source = folder if label.kind == "tree" else folder / "file"
        storing = self._store.storing(
            label.kind, source, label.name, run_id=None, step=None, attempt=None, move=True
        )
        with storing as (_, stored):
            if stored.sha256 != sha256:
                raise _refused(sha256[:12], f"has become another one here: {stored.sha256[:12]}")
        shutil.rmtree(folder, ignore_errors=True)
        self._store.upsert_node(artifact_node(sha256, label.name))

    def _keep_base(self, sha256: str, name: str, base: AdapterBaseRecord) -> None:
        self._store.keep_base(sha256, base)
        if base.sha256 is not None:
            root = Node(f"artifact:{base.sha256}", "model", base.ref, base.sha256)
            self._store.add_edge(root, artifact_node(sha256, name), "base")

    def _sweep(self) -> None:
        """Delete what nobody has gone on with."""
        for folder in self._scratch.glob("pull-*"):
            if time.time() - folder.stat().st_mtime > KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)


def _is_entry(entry: tuple[object, object]) -> bool:
    path, sha256 = entry
    return isinstance(path, str) and isinstance(sha256, str) and bool(_SHA256.fullmatch(sha256))


def _inside(path: str) -> PurePosixPath:
    """A file's path in its tree; whoever wrote the manifest is not trusted to keep to it."""
    inside = PurePosixPath(path)
    if inside.is_absolute() or not inside.parts or ".." in inside.parts or "\0" in path:
        raise _refused("a file of this tree", f"would lie outside of it: {path!r}")
    return inside


def _is_whole(file: Path, sha256: str) -> bool:
    return file.is_file() and sha256_of_file(file) == sha256


def _size(file: Path) -> int:
    return file.stat().st_size


def _refused(what: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{what} {why}", hint="Push it again from where it was made.")
