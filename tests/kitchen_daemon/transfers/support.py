"""Trees on their way between two stores, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kitchen_core.content import tree_manifest
from kitchen_core.home import Home
from kitchen_core.store import Store
from kitchen_core.train.ports.blobs import BlobStore
from kitchen_daemon.transfers.parcels import Packer, Parcel
from kitchen_daemon.transfers.pulling import Locks, Pulling
from kitchen_daemon.transfers.pushing import push
from tests.kitchen_core.store.support import fresh_store

FILES = {"model.safetensors": b"w" * 3_000_000, "config.json": b"{}", "deep/er.txt": b"x"}


@contextmanager
def new_store(home: Path) -> Iterator[Store]:
    Home(home).make()
    with fresh_store(home) as store:
        yield store


def tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def put(store: Store, folder: Path, files: dict[str, bytes] = FILES) -> str:
    return store.put_tree(tree(folder, files), "final").sha256


async def send(blobs: BlobStore, store: Store, what: str) -> list[Parcel]:
    parcels = Packer(store).pack(what, every=False)
    for parcel in parcels:
        await push(blobs, parcel, store.home / "scratch", lambda item: None)
    return parcels


def pulling(blobs: BlobStore, store: Store, locks: Locks | None = None) -> Pulling:
    own = Locks() if locks is None else locks
    return Pulling(blobs, store, store.home / "scratch", lambda item: None, own)


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in tree_manifest(folder)}
