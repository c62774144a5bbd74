"""Taking artifacts to a blob store.

There, each file is a blob, and a tree is the blob of its manifest besides: the canonical JSON
`{path: sha256}`, whose hash is the tree's. A label, the note on it, says what the artifact is; it is
written last, so what has one is whole. What is there already is not sent again, so a push that was
interrupted goes on where it was.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from kitchen_core.train.hashing import canonical_json
from kitchen_core.train.ports.blobs import BlobStore
from kitchen_daemon.models import Transferred
from kitchen_daemon.transfers.account import Account, Tell
from kitchen_daemon.transfers.parcels import Parcel


async def push(blobs: BlobStore, parcel: Parcel, scratch: Path, tell: Tell) -> Transferred:
    """Send what is not there yet. scratch: a folder for small files on their way. Raises PortErrors."""
    account = Account(parcel.sha256, parcel.label, blobs.place, tell)
    account.begin(len(parcel.hashes))
    for path, sha256 in parcel.hashes.items():
        file = parcel.folder / path
        size = file.stat().st_size
        sent = await blobs.put(file, sha256, account.seen(path, size))
        account.add(path, size, moved=sent)
    if parcel.label.kind == "tree":
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            manifest = Path(folder) / "manifest"
            manifest.write_text(canonical_json(dict(parcel.hashes)), encoding="utf-8")
            await blobs.put(manifest, parcel.sha256)
    await blobs.put_note(parcel.sha256, parcel.label.model_dump_json())
    return account.close()
